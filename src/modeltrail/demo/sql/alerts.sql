-- What the watch told people, in the order in which it said it: all alerts of a model are on one chain.
SELECT id, alert_id, told, severity, message, opened
FROM
(
    SELECT log_time, chain, seq, id, alert_id, 'raised' AS told, toString(severity) AS severity, message, opened_at AS opened
    FROM alerts_raised FINAL
    WHERE kind IN ('drift', 'performance', 'bias', 'silence')
    UNION ALL
    SELECT log_time, chain, seq, id, alert_id, 'resolved', toString(severity), message, opened_at
    FROM alerts_resolved FINAL
    WHERE kind IN ('drift', 'performance', 'bias', 'silence')
)
ORDER BY log_time, chain, seq
