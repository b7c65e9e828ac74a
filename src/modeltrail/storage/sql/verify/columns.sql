-- The rows of ranges of a few chains, byte for byte, in order, by column: to be checked here.
SELECT
    chain, cluster, topic, partition, epoch, first_offset,
    seq, offset, timestamp, log_time, kind, gap_first, key, headers.name AS header_names, headers.value AS header_values, value, record_hash, prev_hash, entry_hash,
    status, reason_class, empty(reason) AS without_reason, contract, mode, source, id, type, subject,
    toUnixTimestamp64Micro(time) AS time_us,
    actor, tenant, sequence, traceparent, correlationid, causationid, retentionclass
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
    AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
ORDER BY chain, seq, entry_hash
