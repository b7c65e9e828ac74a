-- Of each version of each model, the predictions that have the first and the last event time and the last log_time:
-- all of a model's predictions within ends of chains that are before the log_time from which on each one is wanted.
-- An event time that is too far ahead of its own log_time is none.
WITH
    toUnixTimestamp64Micro(time) AS time_us,
    time_us <= log_time * 1000 + {ahead_us:Int64} AS sane,
    (toString(chain), seq, log_time, time_us, toString(model_id), toString(model_version)) AS place
SELECT DISTINCT
    found.1 AS chain,
    found.2 AS seq,
    found.3 AS log_time,
    found.4 AS time_us,
    found.5 AS model_id,
    found.6 AS model_version
FROM
(
    SELECT arrayJoin([argMinIf(place, (time_us, chain, seq), sane), argMaxIf(place, (time_us, chain, seq), sane), argMax(place, (log_time, chain, seq))]) AS found
    FROM predictions
    WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
        AND log_time < transform(model_id, {models:Array(String)}, {since:Array(Int64)}, 9223372036854775807)
    GROUP BY predictions.model_id, predictions.model_version
)
WHERE chain != ''
ORDER BY chain, seq
