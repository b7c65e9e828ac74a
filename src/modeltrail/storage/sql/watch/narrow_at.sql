-- What the watch must know of some entries: of those at `seqs` of `chains`, that are valid predictions.
WITH
    'Tuple(model_id LowCardinality(String), model_version LowCardinality(String))' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data
SELECT
    ledger.chain AS chain,
    ledger.seq AS seq,
    ledger.log_time AS log_time,
    toUnixTimestamp64Micro(ifNull(ledger.time, toDateTime64(0, 6, 'UTC'))) AS time_us,
    data.model_id AS model_id,
    data.model_version AS model_version
FROM ledger
WHERE (ledger.chain, ledger.seq) IN (SELECT arrayJoin(arrayZip({chains:Array(String)}, {seqs:Array(Int64)})))
    AND ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.recorded.v1'
ORDER BY ledger.chain, ledger.seq
LIMIT 1 BY chain, seq
