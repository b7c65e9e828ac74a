-- The first position in a range of a chain at which two different entries stand.
SELECT seq
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
GROUP BY seq
HAVING uniqExact(entry_hash) > 1
ORDER BY seq
LIMIT 1
