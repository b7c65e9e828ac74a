-- The last check of every monitor, version, kind and delay of the truth, within ends of chains: the one whose cut holds
-- most entries, and of several at one entry that of the last window.
WITH
    arraySum(mapValues(cut_frontier)) + length(cut_frontier) AS reach,
    (reach, ifNull(window_end, toDateTime64(0, 6, 'UTC')), ifNull(window_index, 0)) AS place
SELECT
    argMax(check_id, place) AS last,
    monitor_id,
    model_id,
    ifNull(model_version, '') AS version,
    kind,
    ifNull(label_delay_s, 0) AS delay,
    max(reach) AS last_reach,
    ifNull(argMax(cut_chain, place), '') AS entry_chain,
    ifNull(argMax(cut_seq, place), -1) AS entry_seq
FROM checks
WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    AND source = 'modeltrail/watch' AND kind != 'tick' AND isNotNull(cut_chain)
GROUP BY monitor_id, model_id, version, kind, delay
ORDER BY model_id, monitor_id, version, kind, delay
