-- The last windows of a unit that were counted: of each window its first check, newest first.
SELECT
    check_id,
    any(monitor_sha256) AS monitor,
    any(assumeNotNull(baseline_sha256)) AS baseline,
    any(toUnixTimestamp64Micro(window_start)) AS start_us,
    any(toUnixTimestamp64Micro(window_end)) AS end_us,
    any(window_index) AS window_number,
    any(rows) AS counted,
    any(assumeNotNull(cut_chain)) AS entry_chain,
    any(assumeNotNull(cut_seq)) AS entry_seq
FROM checks
WHERE model_id = {model_id:String} AND ifNull(model_version, '') = {model_version:String} AND monitor_id = {monitor_id:String}
    AND kind = 'drift' AND source = 'modeltrail/watch' AND isNull(supersedes) AND isNotNull(baseline_sha256)
    AND notEmpty(fields) AND isNotNull(cut_chain) AND isNotNull(cut_seq)
GROUP BY check_id
ORDER BY (any(ifNull(window_end, toDateTime64(0, 6, 'UTC'))), any(ifNull(window_index, -1))) DESC
LIMIT {most:UInt32}
