-- The rows at given positions, one for each entry, without their content.
SELECT DISTINCT chain, seq, offset, log_time, kind, prev_hash, entry_hash
FROM ledger
WHERE (chain, seq) IN arrayZip({chains:Array(String)}, {seqs:Array(Int64)})
ORDER BY chain, seq, entry_hash
