-- Every physical row of a few chains against its own content: how many rows fail each check, and the first of them.
-- No order is needed, and no FINAL: each row stands or falls by itself, repeats too. What a gap must not hold is
-- asked for by another query, which reads many more columns of few rows.
SELECT
    chain,
    count() AS rows,
    countIf(is_gap) AS gaps,
    countIf(bad_name), minIf(seq, bad_name),
    countIf(bad_kind), minIf(seq, bad_kind),
    countIf(bad_record_hash), minIf(seq, bad_record_hash),
    countIf(bad_entry_hash), minIf(seq, bad_entry_hash)
FROM
(
    SELECT
        chain,
        seq,
        kind = 'gap' AS is_gap,
        chain != concat(cluster, '/', topic, '/', toString(partition), '/', toString(epoch), '-', toString(first_offset)) AS bad_name,
        NOT is_gap AND (kind != 'record' OR gap_first != 0 OR status NOT IN ('valid', 'rejected')) AS bad_kind,
        arrayStringConcat(arrayMap(h -> concat(
            toString(length(h.1)), ':', h.1, ',',
            if(isNull(h.2), '-,', concat(toString(length(assumeNotNull(h.2))), ':', assumeNotNull(h.2), ','))), headers)) AS packed,
        record_hash != SHA256(concat(
            if(isNull(key), '-,', concat(toString(length(assumeNotNull(key))), ':', assumeNotNull(key), ',')),
            toString(length(packed)), ':', packed, ',',
            if(isNull(value), '-,', concat(toString(length(assumeNotNull(value))), ':', assumeNotNull(value), ',')))) AS bad_record,
        -- A comparison, not AND: the hash is wanted of nearly every row, and filtering for it costs more than it saves.
        bad_record > is_gap AS bad_record_hash,
        entry_hash != SHA256(concat(
            prev_hash, 'modeltrail-entry/v1\n', chain, '\n', toString(seq), '\n', toString(offset), '\n',
            toString(timestamp), '\n', lower(hex(record_hash)), '\n')) AS bad_entry_hash
    FROM ledger
    WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
        AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
        AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
)
GROUP BY chain
ORDER BY chain
