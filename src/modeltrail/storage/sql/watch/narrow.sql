-- What the watch must know of each entry in a range of one chain: when, and of which model. Entries that are no valid
-- prediction have an empty model. An identical row of a block that was inserted twice comes again, next to the first.
WITH
    'Tuple(model_id LowCardinality(String), model_version LowCardinality(String))' AS shape,
    ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.recorded.v1' AS is_prediction,
    if(is_prediction, assumeNotNull(ledger.value), '') AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data
SELECT
    ledger.seq AS seq,
    ledger.log_time AS log_time,
    if(is_prediction, toUnixTimestamp64Micro(ifNull(ledger.time, toDateTime64(0, 6, 'UTC'))), 0) AS time_us,
    data.model_id AS model_id,
    data.model_version AS model_version
FROM ledger
WHERE ledger.chain = {chain:String} AND ledger.seq BETWEEN {first:Int64} AND {last:Int64}
ORDER BY ledger.chain, ledger.seq
