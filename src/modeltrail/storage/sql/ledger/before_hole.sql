-- The last position before the first one that is missing at or after `since`.
SELECT min(seq)
FROM
(
    SELECT seq, leadInFrame(seq, 1, seq + 1) OVER (ORDER BY seq ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
    FROM (SELECT DISTINCT seq FROM ledger WHERE chain = {chain:String} AND seq >= {since:Int64})
)
WHERE next > seq + 1
