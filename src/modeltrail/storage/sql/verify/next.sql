-- The first position at or after `first`: where a hole ends.
SELECT seq
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
ORDER BY chain, seq
LIMIT 1
