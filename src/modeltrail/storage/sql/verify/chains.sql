-- All chains with the bounds of their positions. Rows that appear later are left out by the upper bound.
SELECT chain, min(seq) AS first_seq, max(seq) AS last_seq
FROM ledger
GROUP BY chain
ORDER BY chain
