-- The records of one chain with offsets first..last.
SELECT DISTINCT seq, offset, timestamp, record_hash, entry_hash
FROM ledger
WHERE chain = {chain:String} AND offset BETWEEN {first:Int64} AND {last:Int64} AND kind = 'record'
ORDER BY offset
