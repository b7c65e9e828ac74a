-- Every position of a few chains against the one before it. The arrays say, chain by chain, which positions to check
-- and what stands before the first of them (known_*: 0 where that is not known and not compared).
-- A row at the position of the one before it is a repeat; a row after a hole is compared with nothing.
WITH
    indexOf({chains:Array(String)}, chain) AS i,
    lag_seq = -2 AS is_first,
    if(is_first, arrayElement({before_seq:Array(Int64)}, i), lag_seq) AS p_seq,
    if(is_first, arrayElement({before_offset:Array(Int64)}, i), lag_offset) AS p_offset,
    if(is_first, arrayElement({before_log_time:Array(Int64)}, i), lag_log_time) AS p_log_time,
    if(is_first, arrayElement({before_gap:Array(UInt8)}, i), lag_gap) AS p_gap,
    if(is_first, arrayElement(arrayMap(h -> toFixedString(unhex(h), 32), {before_hash:Array(String)}), i), lag_hash) AS p_hash,
    NOT is_first OR arrayElement({known_offset:Array(UInt8)}, i) AS has_offset,
    NOT is_first OR arrayElement({known_log_time:Array(UInt8)}, i) AS has_log_time,
    NOT is_first OR arrayElement({known_hash:Array(UInt8)}, i) AS has_hash,
    seq = p_seq AS is_repeat,
    seq = p_seq + 1 AS is_next,
    seq > p_seq + 1 AS bad_seq,
    if(is_gap, gap_first, offset) AS begins,
    is_next AND has_hash AND prev_hash != p_hash AS bad_link,
    is_next AND has_offset AND (begins != p_offset + 1 OR (is_gap AND p_gap)) AS bad_offset,
    if(is_repeat, p_log_time, greatest(p_log_time, timestamp)) AS running_maximum,
    (is_repeat OR (is_next AND has_log_time)) AND log_time != running_maximum AS bad_log_time
SELECT
    chain,
    countIf(NOT is_repeat) AS entries,
    countIf(is_repeat) AS repeats,
    countIf(bad_seq), minIf(p_seq + 1, bad_seq), argMinIf(seq - 1, seq, bad_seq),
    countIf(bad_link), minIf(seq, bad_link),
    countIf(bad_offset), minIf(seq, bad_offset), argMinIf(p_offset + 1, seq, bad_offset), argMinIf(begins, seq, bad_offset),
    countIf(bad_log_time), minIf(seq, bad_log_time), argMinIf(running_maximum, seq, bad_log_time), argMinIf(log_time, seq, bad_log_time)
FROM
(
    SELECT
        chain, seq, offset, timestamp, log_time, is_gap, gap_first, prev_hash,
        lagInFrame(seq, 1, -2) OVER w AS lag_seq,
        lagInFrame(offset) OVER w AS lag_offset,
        lagInFrame(log_time) OVER w AS lag_log_time,
        lagInFrame(is_gap) OVER w AS lag_gap,
        lagInFrame(entry_hash) OVER w AS lag_hash
    FROM
    (
        SELECT chain, seq, offset, timestamp, log_time, kind = 'gap' AS is_gap, gap_first, prev_hash, entry_hash
        FROM ledger
        WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
            AND seq >= arrayElement({lows:Array(Int64)}, indexOf({chains:Array(String)}, chain))
            AND seq <= arrayElement({highs:Array(Int64)}, indexOf({chains:Array(String)}, chain))
    )
    WINDOW w AS (PARTITION BY chain ORDER BY seq, entry_hash ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY chain
ORDER BY chain
