-- Entry hashes of a range of one chain, to look through them here.
SELECT seq, log_time, prev_hash, entry_hash
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
ORDER BY seq
