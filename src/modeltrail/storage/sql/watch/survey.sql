-- How many predictions, of all models, may be in each cell of `step` positions of a window up to a cut, and since when
-- they are in the log. Repeats and identical rows are counted: only the size of the work is decided by the number.
SELECT
    transform(chain, {chains:Array(String)}, arrayMap(i -> toUInt32(i), range(length({chains:Array(String)}))), 0) AS rank,
    intDiv(seq, {step:Int64}) AS cell,
    count() AS entries,
    min(log_time) AS first_log_time
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
    AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
    AND status = 'valid' AND type = 'modeltrail.prediction.recorded.v1'
    AND time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
GROUP BY rank, cell
ORDER BY rank, cell
