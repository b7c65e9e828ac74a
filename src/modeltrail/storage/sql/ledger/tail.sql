-- How many positions and how many different entries the last positions of a chain hold: equal, or it forks.
-- first_hole: the last position before the first missing one, where there is one.
SELECT
    uniqExact(seq) AS positions,
    uniqExact(seq, entry_hash) AS entries,
    min(seq) AS first_seq,
    max(seq) AS last_seq
FROM ledger
WHERE chain = {chain:String} AND seq >= {since:Int64}
