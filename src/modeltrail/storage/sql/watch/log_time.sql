-- The log_time of one entry.
SELECT log_time
FROM ledger
WHERE chain = {chain:String} AND seq = {seq:Int64}
LIMIT 1
