-- What the watch did: checks by model, monitor, kind and status. A check that was published twice counts once.
SELECT
    model,
    version_of_model,
    monitor_id,
    kind,
    status,
    count() AS checks,
    sum(rows) AS rows,
    countIf(superseding) AS superseding,
    sum(late_counted) AS late,
    sum(too_late) AS too_late,
    quantile(0.5)(duration_ms) AS p50_ms,
    quantile(0.95)(duration_ms) AS p95_ms,
    max(duration_ms) AS max_ms,
    sum(tested) AS tested,
    sum(moved) AS moved,
    topK(3)(reason) AS reasons,
    min(log_time) AS first_log_time,
    max(log_time) AS last_log_time
FROM
(
    SELECT
        toString(model_id) AS model,
        ifNull(toString(model_version), '') AS version_of_model,
        monitor_id,
        toString(kind) AS kind,
        toString(status) AS status,
        rows,
        isNotNull(supersedes) AS superseding,
        late_counted,
        too_late,
        duration_ms,
        length(arrayFilter(x -> x != 'insufficient_data', fields.state)) AS tested,
        length(arrayFilter(x -> x NOT IN ('insufficient_data', 'stable'), fields.state)) AS moved,
        ifNull(error, '') AS reason,
        log_time
    FROM checks FINAL
    WHERE ({model_id:String} = '' OR model_id = {model_id:String}) AND kind != 'tick'
    ORDER BY log_time, cluster, topic, partition, -version, seq
    LIMIT 1 BY check_id
)
GROUP BY model, version_of_model, monitor_id, kind, status
ORDER BY model, version_of_model, monitor_id, kind, status
