SELECT
    comment,
    dateDiff('second', greatest(
        toDateTime64(metadata_modification_time, 3, 'UTC'),
        (SELECT max(applied_at) FROM schema_migrations)), now64(3, 'UTC')) AS idle_s
FROM system.tables
WHERE database = currentDatabase() AND name = 'migration_lock'
