-- Every position of a few chains against the one before it. A row at the position of the one before it is a repeat; a
-- row after a hole is compared with nothing. The first row of each chain is returned, to be compared with what stands
-- before the range; so are the positions between which there are repeats.
WITH
    lag_seq = -2 AS is_first,
    seq = lag_seq AS is_repeat,
    seq = lag_seq + 1 AS is_next,
    NOT is_first AND seq > lag_seq + 1 AS bad_seq,
    if(is_gap, gap_first, offset) AS begins,
    is_next AND prev_hash != lag_hash AS bad_link,
    is_next AND (begins != lag_offset + 1 OR (is_gap AND lag_gap)) AS bad_offset,
    if(is_repeat, lag_log_time, greatest(lag_log_time, timestamp)) AS running_maximum,
    (is_repeat OR is_next) AND log_time != running_maximum AS bad_log_time
SELECT
    chain,
    countIf(NOT is_repeat) AS entries,
    countIf(is_repeat) AS repeats, minIf(seq, is_repeat), maxIf(seq, is_repeat),
    anyIf(seq, is_first), anyIf(offset, is_first), anyIf(timestamp, is_first), anyIf(log_time, is_first),
    anyIf(kind, is_first), anyIf(gap_first, is_first), anyIf(prev_hash, is_first),
    countIf(bad_seq), minIf(lag_seq + 1, bad_seq), argMinIf(seq - 1, seq, bad_seq),
    countIf(bad_link), minIf(seq, bad_link),
    countIf(bad_offset), minIf(seq, bad_offset), argMinIf(lag_offset + 1, seq, bad_offset), argMinIf(begins, seq, bad_offset),
    countIf(bad_log_time), minIf(seq, bad_log_time), argMinIf(running_maximum, seq, bad_log_time), argMinIf(log_time, seq, bad_log_time)
FROM
(
    SELECT
        chain, seq, offset, timestamp, log_time, kind, is_gap, gap_first, prev_hash,
        lagInFrame(seq, 1, -2) OVER w AS lag_seq,
        lagInFrame(offset) OVER w AS lag_offset,
        lagInFrame(log_time) OVER w AS lag_log_time,
        lagInFrame(is_gap) OVER w AS lag_gap,
        lagInFrame(entry_hash) OVER w AS lag_hash
    FROM
    (
        SELECT chain, seq, offset, timestamp, log_time, kind, kind = 'gap' AS is_gap, gap_first, prev_hash, entry_hash
        FROM ledger
        WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
            AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
            AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
    )
    WINDOW w AS (PARTITION BY chain ORDER BY seq, entry_hash ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY chain
ORDER BY chain
