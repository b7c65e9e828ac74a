-- The last entry of each chain.
SELECT chain, max(seq) AS last_seq, argMax(entry_hash, seq) AS head FROM ledger GROUP BY chain ORDER BY chain
