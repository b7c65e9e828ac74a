CREATE TABLE migration_lock (holder String) ENGINE = Memory COMMENT '$holder'
