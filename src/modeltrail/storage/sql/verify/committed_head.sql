-- The entry of an older chain that a genesis commits to, looked for among the positions first..last.
SELECT seq, log_time, prev_hash, entry_hash
FROM ledger
WHERE chain = {older:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
    AND (SHA256(concat('modeltrail-genesis/v1\n', {newer:String}, '\n', lower(hex(entry_hash)), '\nreplaced\n')) = unhex({genesis:String})
        OR SHA256(concat('modeltrail-genesis/v1\n', {newer:String}, '\n', lower(hex(entry_hash)), '\nretention\n')) = unhex({genesis:String}))
ORDER BY seq DESC
LIMIT 1
