SELECT comment, dateDiff('second', metadata_modification_time, now()) AS idle_s
FROM system.tables
WHERE database = currentDatabase() AND name = 'schema_lock'
