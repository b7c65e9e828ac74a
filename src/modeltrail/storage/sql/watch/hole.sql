-- The last position before the first missing one, in a range of a chain whose first position exists.
SELECT seq
FROM
(
    SELECT DISTINCT seq
    FROM ledger
    WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
)
WHERE seq + 1 NOT IN
(
    SELECT seq
    FROM ledger
    WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
)
ORDER BY seq
LIMIT 1
