-- The next predictions of some models in order of log_time, behind one and through another; each model from a log_time
-- of its own on and behind a cut of its own. `keys` are model and chain, `cuts` the last seq of each that is not wanted.
-- All with one log_time come together. What stands where is `placed.sql`.
SELECT chain, seq, log_time, toUnixTimestamp64Micro(time) AS time_us, model_id, model_version
FROM
(
$placed
)
WHERE seq >= {low:Int64} AND model_id IN {models:Array(String)}
    AND log_time > {behind:Int64} AND log_time <= {through:Int64}
    AND log_time >= transform(model_id, {models:Array(String)}, {since:Array(Int64)}, 0)
    AND seq > transform(concat(model_id, '\n', chain), {keys:Array(String)}, {cuts:Array(Int64)}, -1)
ORDER BY log_time
LIMIT {most:UInt64} WITH TIES
