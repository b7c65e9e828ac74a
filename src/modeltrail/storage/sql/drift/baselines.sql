-- Baselines as they were first registered under their ids, in watch order. An empty model is every model.
SELECT
    baseline_id,
    sha256,
    model_id,
    model_version,
    rows,
    length(fields.name) AS fields,
    length(segments.value) AS segments,
    source_kind,
    source_name,
    toUnixTimestamp64Micro(source_since) AS since,
    toUnixTimestamp64Micro(source_until) AS until,
    actor,
    log_time
FROM baselines FINAL
WHERE {model_id:String} = '' OR model_id = {model_id:String}
ORDER BY log_time, cluster, topic, partition, -version, seq
LIMIT 1 BY model_id, baseline_id
