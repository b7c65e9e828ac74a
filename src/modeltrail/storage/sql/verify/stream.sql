-- The rows of a range of one chain, byte for byte, in order, to be checked here.
SELECT
    cluster, topic, partition, epoch, first_offset,
    seq, offset, timestamp, log_time, kind, gap_first, key, headers.name AS header_names, headers.value AS header_values, value, record_hash, prev_hash, entry_hash,
    status, reason_class, reason, contract, mode, source, id, type, subject,
    toUnixTimestamp64Micro(time) AS time_us,
    actor, tenant, sequence, traceparent, correlationid, causationid, retentionclass
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
ORDER BY chain, seq, entry_hash
