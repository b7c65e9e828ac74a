-- The engine of the ledger.
SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'ledger'
