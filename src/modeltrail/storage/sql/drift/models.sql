-- The models that anybody speaks of, with their versions: in predictions, baselines and monitors.
SELECT model_id, arraySort(groupUniqArrayIf(model_version, model_version != '')) AS versions
FROM
(
    SELECT DISTINCT toString(model_id) AS model_id, toString(model_version) AS model_version FROM predictions
    UNION DISTINCT
    SELECT DISTINCT toString(model_id), toString(model_version) FROM baselines
    UNION DISTINCT
    SELECT DISTINCT toString(model_id), ifNull(toString(model_version), '') FROM monitors
)
GROUP BY model_id
ORDER BY model_id
