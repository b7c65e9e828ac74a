-- The last entry of each chain, within its end, from one of rising log times to the next: `since` is the first of them,
-- -1 for what is before all.
SELECT chain, roundDown(log_time, arrayConcat([toInt64(-1)], {times:Array(Int64)})) AS since, max(seq) AS last
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    AND log_time < {until:Int64}
GROUP BY chain, since
ORDER BY chain, since
