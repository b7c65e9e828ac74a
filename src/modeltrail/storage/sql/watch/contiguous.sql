-- How many rows and how many positions a range of a chain holds, the first and the last one, and its log_time.
SELECT count() AS entries, uniqExact(seq) AS positions, min(seq) AS first_seq, max(seq) AS last_seq, argMax(log_time, seq) AS log_time
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
