-- The predictions of some models, each from a log_time on and behind a cut of its own, within ends of chains.
-- `keys` are model and chain, `cuts` the last seq of each that is not wanted.
SELECT chain, seq, log_time, toUnixTimestamp64Micro(time) AS time_us, model_id, model_version
FROM predictions
WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    AND seq >= {low:Int64} AND model_id IN {models:Array(String)}
    AND log_time >= transform(model_id, {models:Array(String)}, {since:Array(Int64)}, 0)
    AND seq > transform(concat(model_id, '\n', chain), {keys:Array(String)}, {cuts:Array(Int64)}, -1)
ORDER BY chain, seq
LIMIT 1 BY chain, seq
