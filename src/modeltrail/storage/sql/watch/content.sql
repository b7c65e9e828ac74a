-- The predictions of one version of a model in a window up to a cut, and of each the fields that are wanted.
-- Chains come in watch order: an entry's place is (log_time, rank, seq). `event` is the same for repeats of an event,
-- `record` for copies of one record (a block inserted twice, a log that was read in two epochs).
-- Numbers and texts are read exactly as the view `predictions_from_ledger` reads them: a feature's kind is told from
-- the first character of its JSON text, in the document itself. Kinds: 0 absent, 1 null, 2 number, 3 text.
WITH
    'Tuple(
        prediction_id String,
        model_id String,
        model_version String,
        value Nullable(Float64),
        label LowCardinality(Nullable(String)),
        score Nullable(Float64),
        probabilities Map(String, Float64),
        confidence Tuple(final Nullable(Float64)))' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data,
    if(empty({features:Array(String)}), [], if(ledger.mode = 'structured', JSONExtractKeysAndValuesRaw(document, 'data', 'features'), JSONExtractKeysAndValuesRaw(document, 'features'))) AS features,
    arrayMap(name -> features.2[indexOf(features.1, name)], {features:Array(String)}) AS feature_texts,
    arrayMap(x -> multiIf(x = '', 0, x = 'null', 1, x >= '-' AND x < ':', 2, x < '-' OR x IN ('true', 'false'), 3, 0)::UInt8, feature_texts) AS feature_kinds,
    if(empty({strata:Array(String)}), [], if(ledger.mode = 'structured', JSONExtractKeysAndValuesRaw(document, 'data', 'strata'), JSONExtractKeysAndValuesRaw(document, 'strata'))) AS strata,
    arrayMap(name -> strata.2[indexOf(strata.1, name)], {strata:Array(String)}) AS strata_texts,
    arrayMap(x -> multiIf(x = '', 0, x = 'null', 1, x >= '-' AND x < ':', 2, x < '-' OR x IN ('true', 'false'), 3, 0)::UInt8, strata_texts) AS strata_kinds
SELECT
    ledger.log_time AS log_time,
    transform(ledger.chain, {chains:Array(String)}, arrayMap(i -> toUInt32(i), range(length({chains:Array(String)}))), 0) AS rank,
    ledger.seq AS seq,
    toUnixTimestamp64Micro(assumeNotNull(ledger.time)) AS time_us,
    sipHash128(ledger.source, ledger.id) AS event,
    sipHash128(ledger.cluster, ledger.topic, ledger.partition, ledger.offset, ledger.timestamp, ledger.record_hash) AS record,
    data.prediction_id AS prediction_id,
    data.value AS value,
    data.label AS label,
    data.score AS score,
    if(mapContains(data.probabilities, {positive:String}), data.probabilities[{positive:String}], NULL) AS probability,
    data.confidence.final AS confidence,
    feature_kinds,
    JSONExtract(concat('[', arrayStringConcat(arrayMap((x, kind) -> if(kind = 2, x, 'null'), feature_texts, feature_kinds), ','), ']'), 'Array(Nullable(Float64))') AS feature_numbers,
    JSONExtract(concat('[', arrayStringConcat(arrayMap((x, kind) -> if(kind = 3, x, '""'), feature_texts, feature_kinds), ','), ']'), 'Array(String)') AS feature_strings,
    strata_kinds,
    JSONExtract(concat('[', arrayStringConcat(arrayMap((x, kind) -> if(kind = 2, x, 'null'), strata_texts, strata_kinds), ','), ']'), 'Array(Nullable(Float64))') AS strata_numbers,
    JSONExtract(concat('[', arrayStringConcat(arrayMap((x, kind) -> if(kind = 3, x, '""'), strata_texts, strata_kinds), ','), ']'), 'Array(String)') AS strata_strings,
    arrayFilter(name -> NOT has({known:Array(String)}, name), features.1) AS others
FROM ledger
WHERE ledger.chain IN {chains:Array(String)} AND ledger.seq BETWEEN {low:Int64} AND {high:Int64}
    AND ledger.seq >= transform(ledger.chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND ledger.seq <= transform(ledger.chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
    AND ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.recorded.v1'
    AND ledger.time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
    AND ledger.time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
    AND sipHash64(ledger.source, ledger.id) % {parts:UInt32} = {part:UInt32}
    AND data.model_id = {model_id:String} AND data.model_version = {model_version:String}
