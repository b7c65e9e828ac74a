-- The gaps among the rows of a few chains: a gap holds nothing but the range of offsets that it stands for.
SELECT
    chain,
    countIf(bad_gap), minIf(seq, bad_gap),
    countIf(bad_range), minIf(seq, bad_range)
FROM
(
    SELECT
        chain,
        seq,
        NOT (
            isNull(key) AND isNull(value) AND empty(headers) AND timestamp = -1 AND gap_first BETWEEN 0 AND offset
            AND status = 'gap' AND reason_class = '' AND reason = '' AND mode = '' AND source = '' AND id = ''
            AND type = '' AND subject = '' AND isNull(time) AND actor = '' AND tenant = '' AND sequence = ''
            AND traceparent = '' AND correlationid = '' AND causationid = '' AND retentionclass = '') AS bad_gap,
        record_hash != SHA256(concat('gap\n', toString(gap_first), '\n', toString(offset), '\n')) AS bad_range
    FROM ledger
    WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64} AND kind = 'gap'
        AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
        AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
)
GROUP BY chain
ORDER BY chain
