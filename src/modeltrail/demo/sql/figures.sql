-- Every figure of performance and every gap, by week.
SELECT toDate(window_start) AS week, figure AS name, toString(state) AS state, value, reference
FROM
(
    SELECT window_start, toString(metric) AS figure, state, value, reference
    FROM performance_history
    WHERE monitor_id = {monitor:String} AND isNull(segment_by)
    UNION ALL
    SELECT window_start, concat(toString(metric), ' by ', toString(`by`)), state, value, reference
    FROM bias_history
    WHERE monitor_id = {monitor:String}
)
ORDER BY name, week
