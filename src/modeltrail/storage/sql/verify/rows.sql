-- Every physical row of a few chains against its own content: how many rows fail each check, and the first of them.
-- No order is needed, and no FINAL: each row stands or falls by itself, repeats too.
WITH
    seq >= arrayElement({lows:Array(Int64)}, indexOf({chains:Array(String)}, chain))
        AND seq <= arrayElement({highs:Array(Int64)}, indexOf({chains:Array(String)}, chain)) AS in_range
SELECT
    chain,
    count() AS rows,
    countIf(bad_name), minIf(seq, bad_name),
    countIf(bad_kind), minIf(seq, bad_kind),
    countIf(bad_gap), minIf(seq, bad_gap),
    countIf(bad_record_hash), minIf(seq, bad_record_hash),
    countIf(bad_entry_hash), minIf(seq, bad_entry_hash)
FROM
(
    SELECT
        chain,
        seq,
        chain != concat(cluster, '/', topic, '/', toString(partition), '/', toString(epoch), '-', toString(first_offset)) AS bad_name,
        kind != 'gap' AND (kind != 'record' OR gap_first != 0 OR status NOT IN ('valid', 'rejected')) AS bad_kind,
        kind = 'gap' AND NOT (
            isNull(key) AND isNull(value) AND empty(headers) AND timestamp = -1 AND gap_first BETWEEN 0 AND offset
            AND status = 'gap' AND reason_class = '' AND reason = '' AND mode = '' AND source = '' AND id = ''
            AND type = '' AND subject = '' AND isNull(time) AND actor = '' AND tenant = '' AND sequence = ''
            AND traceparent = '' AND correlationid = '' AND causationid = '' AND retentionclass = '') AS bad_gap,
        arrayStringConcat(arrayMap(h -> concat(
            toString(length(h.1)), ':', h.1, ',',
            if(isNull(h.2), '-,', concat(toString(length(assumeNotNull(h.2))), ':', assumeNotNull(h.2), ','))), headers)) AS packed,
        -- A product, not AND: the hash is wanted of nearly every row, and filtering for it costs more than it saves.
        (kind != 'gap') * (record_hash != SHA256(concat(
            if(isNull(key), '-,', concat(toString(length(assumeNotNull(key))), ':', assumeNotNull(key), ',')),
            toString(length(packed)), ':', packed, ',',
            if(isNull(value), '-,', concat(toString(length(assumeNotNull(value))), ':', assumeNotNull(value), ','))))) AS bad_record,
        kind = 'gap' AND record_hash != SHA256(concat('gap\n', toString(gap_first), '\n', toString(offset), '\n')) AS bad_gap_range,
        bad_record OR bad_gap_range AS bad_record_hash,
        entry_hash != SHA256(concat(
            prev_hash, 'modeltrail-entry/v1\n', chain, '\n', toString(seq), '\n', toString(offset), '\n',
            toString(timestamp), '\n', lower(hex(record_hash)), '\n')) AS bad_entry_hash
    FROM ledger
    WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64} AND in_range
)
GROUP BY chain
ORDER BY chain
