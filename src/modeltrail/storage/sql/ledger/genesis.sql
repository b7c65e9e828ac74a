-- What the first entry of a chain links to.
SELECT DISTINCT prev_hash
FROM ledger
WHERE chain = {chain:String} AND seq = 0
