-- Typed rows outside of the positions that are checked: of unknown chains, or beyond their ends.
SELECT chain, count() AS rows, min(seq) AS first_seq, max(seq) AS last_seq
FROM $table FINAL
WHERE seq < 0 OR seq > arrayElement({highs:Array(Int64)}, indexOf({chains:Array(String)}, chain))
    OR chain NOT IN {chains:Array(String)}
GROUP BY chain
ORDER BY chain
