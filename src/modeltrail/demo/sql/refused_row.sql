-- The row of one entry with another value and the same hashes.
INSERT INTO ledger SELECT * REPLACE (replaceOne(value, {before:String}, {after:String}) AS value)
FROM ledger WHERE chain = {chain:String} AND seq = {seq:Int64}
