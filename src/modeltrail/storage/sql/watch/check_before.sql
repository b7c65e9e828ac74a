-- The check of the same unit that was published before another one of it. Where a check was published twice, its first
-- record counts.
SELECT check_id
FROM
(
    SELECT check_id, min((log_time, cluster, topic, partition, seq)) AS place
    FROM checks
    WHERE model_id = {model_id:String} AND model_version = {model_version:String} AND monitor_id = {monitor_id:String}
        AND kind = {kind:String} AND ifNull(label_delay_s, 0) = {label_delay_s:Int64} AND source = 'modeltrail/watch'
    GROUP BY check_id
)
WHERE place <
(
    SELECT min((log_time, cluster, topic, partition, seq))
    FROM checks
    WHERE model_id = {model_id:String} AND check_id = {check_id:String} AND source = 'modeltrail/watch'
)
ORDER BY place DESC
LIMIT 1
