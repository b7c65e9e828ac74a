-- The valid events of one type in chains of `models`, in watch order. Repeats count where they come first.
SELECT mode, assumeNotNull(value) AS document, log_time
FROM ledger
WHERE chain IN {chains:Array(String)} AND type = {type:String} AND status = 'valid'
ORDER BY log_time, cluster, topic, partition, epoch, first_offset, seq
LIMIT 1 BY source, id
