-- Predictions and their outcomes.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.
-- Each select list has one column a line, named by AS: the program reads the views from these files to fill a
-- range of the ledger again. Columns of the ledger are written with its name, because names repeat.
-- A feature's kind is told from the first character of its JSON text: a digit or a minus begins a number, a quote
-- (less than both) a string. Features are taken from the document itself, never from a part that was extracted
-- before: there the server writes 1e20 as digits, and it reads an integer of more than 64 bits as a string.
-- Free JSON is kept as the server writes it: the same values, without spaces, and a large number without its
-- exponent. An inserted block becomes one compact part: few files to sync.

CREATE TABLE predictions
(
    chain                LowCardinality(String) COMMENT 'the chain of the entry',
    seq                  Int64 COMMENT 'position of the entry in its chain',
    entry_hash           FixedString(32) COMMENT 'hash of the entry',
    cluster              LowCardinality(String) COMMENT 'Kafka cluster id',
    topic                LowCardinality(String) COMMENT 'Kafka topic',
    partition            UInt32 COMMENT 'Kafka partition',
    offset               Int64 COMMENT 'Kafka offset',
    timestamp            Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash          FixedString(32) COMMENT 'SHA-256 of the record',
    version              Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time             Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source               LowCardinality(String) COMMENT 'CloudEvents source',
    id                   String COMMENT 'CloudEvents id',
    subject              String COMMENT 'CloudEvents subject',
    time                 DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor                LowCardinality(String) COMMENT 'who acted',
    tenant               LowCardinality(String) COMMENT 'owner of the data',
    prediction_id        String COMMENT 'names the prediction',
    item_id              String COMMENT 'what the prediction is about',
    run_id               Nullable(String) COMMENT 'the run that produced it',
    model_id             LowCardinality(String) COMMENT 'the model',
    model_version        LowCardinality(String) COMMENT 'the version of the model',
    kind                 LowCardinality(String) COMMENT 'binary, multiclass or regression',
    value                Nullable(Float64) COMMENT 'the predicted number',
    label                LowCardinality(Nullable(String)) COMMENT 'the predicted class',
    score                Nullable(Float64) COMMENT 'raw score for the positive class',
    probabilities        Map(String, Float64) COMMENT 'probability of each class',
    confidence_base      Nullable(Float64) COMMENT 'confidence before modifiers',
    confidence_modifiers Map(String, Float64) COMMENT 'what each named modifier added',
    confidence_final     Nullable(Float64) COMMENT 'confidence after modifiers',
    features_number      Map(String, Float64) COMMENT 'features that are numbers',
    features_text        Map(String, String) COMMENT 'features that are strings, and true and false as text',
    features_missing     Array(LowCardinality(String)) COMMENT 'names of features that are null',
    strata               Map(String, Nullable(String)) COMMENT 'groups by which drift and bias are compared, the JSON scalars as text',
    rule_id              LowCardinality(Nullable(String)) COMMENT 'the rule that made it',
    selected             Nullable(Bool) COMMENT 'whether it was used',
    excluded             Nullable(Bool) COMMENT 'whether it was left out on purpose',
    exclusion_reason     Nullable(String) COMMENT 'why it was left out',
    input_sha256         Nullable(String) COMMENT 'SHA-256 of the input, hex',
    latency_ms           Nullable(Float64) COMMENT 'how long the model took, milliseconds',
    metadata             String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (item_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'What models predicted, one row a prediction.';

CREATE MATERIALIZED VIEW predictions_from_ledger TO predictions AS
WITH
    'Tuple(
        prediction_id String,
        item_id String,
        run_id Nullable(String),
        model_id String,
        model_version String,
        kind String,
        value Nullable(Float64),
        label Nullable(String),
        score Nullable(Float64),
        probabilities Map(String, Float64),
        confidence Tuple(base Nullable(Float64), modifiers Map(String, Float64), final Nullable(Float64)),
        strata Map(String, Nullable(String)),
        rule_id Nullable(String),
        selected Nullable(Bool),
        excluded Nullable(Bool),
        exclusion_reason Nullable(String),
        input_sha256 Nullable(String),
        latency_ms Nullable(Float64),
        metadata String)' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data,
    if(ledger.mode = 'structured', JSONExtractKeysAndValuesRaw(document, 'data', 'features'), JSONExtractKeysAndValuesRaw(document, 'features')) AS features
SELECT
    ledger.chain AS chain,
    ledger.seq AS seq,
    ledger.entry_hash AS entry_hash,
    ledger.cluster AS cluster,
    ledger.topic AS topic,
    ledger.partition AS partition,
    ledger.offset AS offset,
    ledger.timestamp AS timestamp,
    ledger.record_hash AS record_hash,
    -(bitShiftLeft(toInt128(ledger.epoch), 64) + toInt128(ledger.first_offset)) AS version,
    ledger.log_time AS log_time,
    ledger.source AS source,
    ledger.id AS id,
    ledger.subject AS subject,
    ifNull(ledger.time, toDateTime64(0, 6, 'UTC')) AS time,
    ledger.actor AS actor,
    ledger.tenant AS tenant,
    data.prediction_id AS prediction_id,
    data.item_id AS item_id,
    data.run_id AS run_id,
    data.model_id AS model_id,
    data.model_version AS model_version,
    data.kind AS kind,
    data.value AS value,
    data.label AS label,
    data.score AS score,
    data.probabilities AS probabilities,
    data.confidence.base AS confidence_base,
    data.confidence.modifiers AS confidence_modifiers,
    data.confidence.final AS confidence_final,
    mapFromArrays((arrayFilter(x -> x.2 >= '-' AND x.2 < ':', features) AS numbers).1, JSONExtract(concat('[', arrayStringConcat(numbers.2, ','), ']'), 'Array(Float64)')) AS features_number,
    mapFromArrays((arrayFilter(x -> x.2 < '-' OR x.2 IN ('true', 'false'), features) AS texts).1, JSONExtract(concat('[', arrayStringConcat(texts.2, ','), ']'), 'Array(String)')) AS features_text,
    arrayMap(x -> x.1, arrayFilter(x -> x.2 = 'null', features)) AS features_missing,
    data.strata AS strata,
    data.rule_id AS rule_id,
    data.selected AS selected,
    data.excluded AS excluded,
    data.exclusion_reason AS exclusion_reason,
    data.input_sha256 AS input_sha256,
    data.latency_ms AS latency_ms,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.recorded.v1'
COMMENT 'Fills predictions with each insert into the ledger';

CREATE TABLE outcomes
(
    chain         LowCardinality(String) COMMENT 'the chain of the entry',
    seq           Int64 COMMENT 'position of the entry in its chain',
    entry_hash    FixedString(32) COMMENT 'hash of the entry',
    cluster       LowCardinality(String) COMMENT 'Kafka cluster id',
    topic         LowCardinality(String) COMMENT 'Kafka topic',
    partition     UInt32 COMMENT 'Kafka partition',
    offset        Int64 COMMENT 'Kafka offset',
    timestamp     Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash   FixedString(32) COMMENT 'SHA-256 of the record',
    version       Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time      Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source        LowCardinality(String) COMMENT 'CloudEvents source',
    id            String COMMENT 'CloudEvents id',
    subject       String COMMENT 'CloudEvents subject',
    time          DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor         LowCardinality(String) COMMENT 'who acted',
    tenant        LowCardinality(String) COMMENT 'owner of the data',
    prediction_id String COMMENT 'the prediction',
    model_id      LowCardinality(String) COMMENT 'the model that made it',
    model_version LowCardinality(String) COMMENT 'the version of the model',
    value         Nullable(Float64) COMMENT 'the true number',
    label         LowCardinality(Nullable(String)) COMMENT 'the true class',
    observed_at   Nullable(DateTime64(6, 'UTC')) COMMENT 'when the truth was observed',
    metadata      String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (prediction_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'What turned out to be true about a prediction, one row an outcome.';

CREATE MATERIALIZED VIEW outcomes_from_ledger TO outcomes AS
WITH
    'Tuple(
        prediction_id String,
        model_id String,
        model_version String,
        value Nullable(Float64),
        label Nullable(String),
        observed_at String,
        metadata String)' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data
SELECT
    ledger.chain AS chain,
    ledger.seq AS seq,
    ledger.entry_hash AS entry_hash,
    ledger.cluster AS cluster,
    ledger.topic AS topic,
    ledger.partition AS partition,
    ledger.offset AS offset,
    ledger.timestamp AS timestamp,
    ledger.record_hash AS record_hash,
    -(bitShiftLeft(toInt128(ledger.epoch), 64) + toInt128(ledger.first_offset)) AS version,
    ledger.log_time AS log_time,
    ledger.source AS source,
    ledger.id AS id,
    ledger.subject AS subject,
    ifNull(ledger.time, toDateTime64(0, 6, 'UTC')) AS time,
    ledger.actor AS actor,
    ledger.tenant AS tenant,
    data.prediction_id AS prediction_id,
    data.model_id AS model_id,
    data.model_version AS model_version,
    data.value AS value,
    data.label AS label,
    parseDateTime64BestEffortOrNull(data.observed_at, 6, 'UTC') AS observed_at,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.outcome.v1'
COMMENT 'Fills outcomes with each insert into the ledger';
