-- Of each version of each model, the predictions that have the first and the last event time and the last log_time, of
-- all that are before a log_time: that of the model, or of all others. An event time that is too far ahead of its own
-- log_time is none. What stands where is `placed.sql`.
SELECT DISTINCT
    found.1 AS chain,
    found.2 AS seq,
    found.3 AS log_time,
    found.4 AS time_us,
    found.5 AS model_id,
    found.6 AS model_version
FROM
(
    WITH
        toUnixTimestamp64Micro(p.time) AS event_us,
        event_us <= p.log_time * 1000 + {ahead_us:Int64} AS sane,
        (toString(p.chain), p.seq, p.log_time, event_us, toString(p.model_id), toString(p.model_version)) AS place
    SELECT arrayJoin([
        argMinIf(place, (event_us, p.chain, p.seq), sane),
        argMaxIf(place, (event_us, p.chain, p.seq), sane),
        argMax(place, (p.log_time, p.chain, p.seq))]) AS found
    FROM
    (
$placed
    ) AS p
    WHERE p.log_time < transform(p.model_id, {models:Array(String)}, {before:Array(Int64)}, {otherwise:Int64})
    GROUP BY p.model_id, p.model_version
)
WHERE found.1 != ''
ORDER BY chain, seq
