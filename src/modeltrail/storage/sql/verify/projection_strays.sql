-- Which chains a typed table speaks of, and from where to where.
SELECT chain, min(seq) AS first_seq, max(seq) AS last_seq
FROM $table FINAL
GROUP BY chain
ORDER BY chain
