-- What the typed table says of one check: where its window lies, up to where it read, and how many rows it had.
SELECT monitor_sha256, window_after, window_upto, cut_frontier, rows
FROM checks
WHERE check_id = {check_id:String} AND source = 'modeltrail/watch'
LIMIT 1
