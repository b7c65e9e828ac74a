-- The first position of each chain whose log time has reached a point in time; log time never goes back.
SELECT chain, min(seq) AS first_seq
FROM ledger
WHERE log_time >= {since:Int64}
GROUP BY chain
