-- Whether there are predictions of other models than these within chains.
SELECT count() > 0
FROM
(
    SELECT 1
    FROM predictions
    WHERE chain IN {chains:Array(String)} AND model_id NOT IN {models:Array(String)}
    LIMIT 1
)
