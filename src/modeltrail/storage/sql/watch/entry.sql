-- One entry of a chain: when it was logged, and where it stood.
SELECT log_time, offset
FROM ledger
WHERE chain = {chain:String} AND seq = {seq:Int64}
LIMIT 1
