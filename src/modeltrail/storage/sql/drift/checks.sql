-- The newest windows of each unit with the result that counts, the oldest window first. An empty text is everything.
SELECT *
FROM
(
    SELECT *
    FROM
    (
        SELECT
            check_id,
            toString(model_id) AS model,
            ifNull(toString(model_version), '') AS version_of_model,
            monitor_id,
            toString(kind) AS kind,
            toUnixTimestamp64Micro(window_start) AS window_start,
            toUnixTimestamp64Micro(window_end) AS window_end,
            window_index,
            ifNull(label_delay_s, 0) AS label_delay_s,
            toString(status) AS status,
            ifNull(toString(state), '') AS state,
            rows,
            isNotNull(supersedes) AS superseding,
            error,
            log_time,
            silence_condition,
            arrayFilter(
                x -> {name:String} = '' OR x.1 = {name:String},
                arrayZip(
                    fields.name, fields.role, fields.segment_by, fields.segment_value, fields.state, fields.n,
                    fields.missing, fields.scale, fields.statistics, fields.reason)) AS fields,
            arrayMap(
                x -> (
                    x.metric, x.segment_by, x.segment_value, x.state, x.value, x.low, x.high, x.reference, x.max_drop,
                    x.threshold, x.scale, x.n, x.reason, x.coverage),
                arrayFilter(x -> {name:String} = '' OR x.metric = {name:String}, metrics)) AS metrics,
            arrayMap(
                x -> (
                    x.`by`, x.metric, x.state, x.value, x.low, x.high, x.reference, x.max_gap, x.scale, x.n, x.reason),
                arrayFilter(x -> {name:String} IN ('', x.metric, concat(x.metric, ':', x.`by`)), gaps)) AS gaps
        FROM checks FINAL
        WHERE ({model_id:String} = '' OR model_id = {model_id:String})
            AND ({model_version:String} = '' OR model_version = {model_version:String})
            AND ({monitor_id:String} = '' OR monitor_id = {monitor_id:String})
            AND kind != 'tick'
            AND ifNull(closed_by, '') != 'configured' -- a monitor that was changed or switched off, and no window
            AND check_id NOT IN
            (
                SELECT assumeNotNull(supersedes) FROM checks WHERE isNotNull(supersedes) AND supersedes != check_id
            )
        ORDER BY log_time, cluster, topic, partition, -version, seq
        LIMIT 1 BY check_id
    )
    ORDER BY window_end DESC, window_index DESC, log_time DESC
    LIMIT {windows:UInt32} BY model, version_of_model, monitor_id, kind, label_delay_s
)
ORDER BY model, version_of_model, monitor_id, kind, label_delay_s, window_end, window_index, log_time
