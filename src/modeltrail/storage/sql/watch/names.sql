-- The names of features that the predictions of one version of a model have, in a window up to a cut.
WITH
    'Tuple(model_id String, model_version String)' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data,
    if(ledger.mode = 'structured', JSONExtractKeys(document, 'data', 'features'), JSONExtractKeys(document, 'features')) AS features
SELECT arraySort(groupUniqArrayArray(features)) AS names
FROM ledger
WHERE ledger.chain IN {chains:Array(String)} AND ledger.seq BETWEEN {low:Int64} AND {high:Int64}
    AND ledger.seq >= transform(ledger.chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND ledger.seq <= transform(ledger.chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
    AND ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.recorded.v1'
    AND ledger.time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    AND ledger.time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
    AND data.model_id = {model_id:String} AND data.model_version = {model_version:String}
