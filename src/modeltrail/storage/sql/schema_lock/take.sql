CREATE TABLE schema_lock (holder String) ENGINE = Memory COMMENT '$holder'
