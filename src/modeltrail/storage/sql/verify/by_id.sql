-- Where an event stands; a producer may have sent it several times.
SELECT DISTINCT chain, seq
FROM ledger
WHERE id = {id:String} AND source = {source:String}
ORDER BY log_time, cluster, topic, partition, epoch, first_offset, seq
