-- Every field in every window: what was found, and what rules without a policy look at.
SELECT
    toDate(window_start) AS week,
    name,
    toString(state) AS state,
    n - missing - mistyped AS counted,
    statistics['psi'] AS psi,
    if(mapContains(statistics, 'effect_1'), statistics['effect_1'], NULL) AS effect,
    if(mapContains(statistics, 'ks'), statistics['ks'], NULL) AS ks,
    assumeNotNull(baseline_sha256) AS baseline
FROM drift_history
WHERE monitor_id = {monitor:String} AND isNull(segment_by) AND isNotNull(baseline_sha256)
ORDER BY name, week
