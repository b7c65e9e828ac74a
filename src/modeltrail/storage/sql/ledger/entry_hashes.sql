-- The different entries at one position.
SELECT DISTINCT entry_hash
FROM ledger
WHERE chain = {chain:String} AND seq = {seq:Int64}
