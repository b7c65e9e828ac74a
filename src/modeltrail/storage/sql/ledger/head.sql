-- The last entry of a chain, read backwards along the primary index.
SELECT seq, offset, timestamp, log_time, kind, record_hash, entry_hash
FROM ledger
WHERE chain = {chain:String} AND seq <= {through:Int64}
ORDER BY chain DESC, seq DESC
LIMIT 1
