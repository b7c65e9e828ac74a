-- What a view makes of the entries in range, and nothing of what it makes of others: per bucket of positions the
-- number of rows and the sum of their keyed hashes. Equal sums under a secret key mean equal rows.
SELECT chain, intDiv(seq, {bucket:Int64}) AS place, count() AS typed_rows, sum($hash) AS typed_hashes
FROM ($rows)
GROUP BY chain, place
