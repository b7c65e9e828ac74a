ALTER TABLE schema_lock MODIFY COMMENT '$holder'
