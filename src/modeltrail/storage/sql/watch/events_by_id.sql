-- Events of one type that the watch published, by their CloudEvents ids: of each the first repeats.
SELECT id, mode, assumeNotNull(value) AS document
FROM ledger
WHERE id IN {ids:Array(String)} AND type = {type:String} AND source = 'modeltrail/watch' AND status = 'valid'
ORDER BY log_time, cluster, topic, partition, epoch, first_offset, seq
LIMIT {most:UInt32} BY id
