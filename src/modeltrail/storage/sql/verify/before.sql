-- What stands before a position: the last row of the chain with a smaller seq.
SELECT seq, offset, log_time, kind, entry_hash
FROM ledger
WHERE chain = {chain:String} AND seq < {seq:Int64}
ORDER BY chain DESC, seq DESC, entry_hash DESC
LIMIT 1
