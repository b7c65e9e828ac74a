-- The record of one chain with the greatest offset in floor..offset.
SELECT seq, offset, timestamp, record_hash, entry_hash
FROM ledger
WHERE chain = {chain:String} AND offset BETWEEN {floor:Int64} AND {offset:Int64} AND kind = 'record'
ORDER BY chain DESC, seq DESC
LIMIT 1
