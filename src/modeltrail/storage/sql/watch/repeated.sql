-- The events that stand in a window up to a cut more than once, of all models, and how often; one part of them by hash.
SELECT sipHash128(source, id) AS event, count() AS times
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
    AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
    AND status = 'valid' AND type = 'modeltrail.prediction.recorded.v1'
    AND time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
    AND sipHash64(source, id) % {parts:UInt32} = {part:UInt32}
GROUP BY event
HAVING times > 1
LIMIT {most:UInt64}
