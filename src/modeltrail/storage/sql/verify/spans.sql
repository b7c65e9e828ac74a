-- A range of one chain cut into pieces of so many positions: the first and the last position that exist in each.
SELECT min(seq) AS first_seq, max(seq) AS last_seq
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
GROUP BY intDiv(seq - {first:Int64}, {window:Int64})
ORDER BY first_seq
