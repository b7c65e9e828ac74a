-- The entry hashes of a chain from its end backwards, one page.
SELECT DISTINCT seq, offset, timestamp, log_time, record_hash, entry_hash
FROM ledger
WHERE chain = {chain:String} AND seq <= {through:Int64} AND kind = 'record'
ORDER BY chain DESC, seq DESC
LIMIT {limit:UInt32}
