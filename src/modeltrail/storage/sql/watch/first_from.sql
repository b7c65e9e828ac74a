-- The first entry of each chain, within its end, that has at least a log_time.
SELECT chain, min(seq) AS first
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    AND log_time >= {log_time:Int64}
GROUP BY chain
