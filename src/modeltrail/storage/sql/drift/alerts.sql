-- What was said of alerts, in watch order: raised (again where one got worse), resolved, acknowledged. Repeats count
-- where they come first. `id` may be the first digits of an alert's; an empty one is every alert.
SELECT what, alert_id, kind, severity, alert_subject, message, opened_at, evidence, who, note, time_us, log_time
FROM
(
    SELECT
        'raised' AS what, alert_id, toString(kind) AS kind, toString(severity) AS severity, alert_subject, message,
        toUnixTimestamp64Micro(opened_at) AS opened_at, evidence, `by` AS who, note,
        toUnixTimestamp64Micro(time) AS time_us, log_time, toString(cluster) AS cluster, toString(topic) AS topic,
        partition, version, seq, toString(source) AS source, id
    FROM alerts_raised FINAL
    WHERE startsWith(alert_id, {id:String})
    UNION ALL
    SELECT
        'resolved', alert_id, toString(kind), toString(severity), alert_subject, message,
        toUnixTimestamp64Micro(opened_at), evidence, `by`, note,
        toUnixTimestamp64Micro(time), log_time, toString(cluster), toString(topic),
        partition, version, seq, toString(source), id
    FROM alerts_resolved FINAL
    WHERE startsWith(alert_id, {id:String})
    UNION ALL
    SELECT
        'acknowledged', alert_id, '', '', '', '',
        NULL, '{}', `by`, note,
        toUnixTimestamp64Micro(time), log_time, toString(cluster), toString(topic),
        partition, version, seq, toString(source), id
    FROM alerts_acknowledged FINAL
    WHERE startsWith(alert_id, {id:String})
)
ORDER BY log_time, cluster, topic, partition, -version, seq
LIMIT 1 BY what, source, id
