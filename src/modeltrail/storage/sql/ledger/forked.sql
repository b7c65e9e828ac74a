-- The first position at or after `since` that holds more than one entry.
SELECT min(seq)
FROM
(
    SELECT seq
    FROM ledger
    WHERE chain = {chain:String} AND seq >= {since:Int64}
    GROUP BY seq
    HAVING uniqExact(entry_hash) > 1
)
