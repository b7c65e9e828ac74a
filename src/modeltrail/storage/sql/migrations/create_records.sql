CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt32 COMMENT 'number of the migration file',
    statement  UInt16 COMMENT 'position of the statement in the file, from 1; 0 stands for the whole file',
    state      LowCardinality(String) COMMENT 'begun, written before a statement runs, or done',
    name       String COMMENT 'name of the migration file',
    sha256     String COMMENT 'SHA-256 of the statement, or of the whole file, in hex',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'clock of the server',
    `by`       String COMMENT 'program, machine and process that wrote this'
)
ENGINE = MergeTree
ORDER BY (number, statement, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What has been applied to this schema; written by modeltrail migrate'
