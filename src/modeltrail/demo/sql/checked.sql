-- How many windows each kind of check has looked at, and how many checks there are.
SELECT toString(kind) AS checked, uniqExact(window_start) AS windows, uniqExact(check_id) AS checks
FROM checks
GROUP BY checked
