-- Classifications.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.
-- To prepare a view costs the server ten milliseconds an insert, whether there is anything for it or not. So views of
-- types that do not come by the thousand read from a feed, a table that holds nothing; each family has one, and all
-- hang behind one of everything but predictions, so that a block of predictions alone prepares a single view for them.

CREATE TABLE events_feed
(
    chain        LowCardinality(String) COMMENT 'as in ledger',
    cluster      LowCardinality(String) COMMENT 'as in ledger',
    topic        LowCardinality(String) COMMENT 'as in ledger',
    partition    UInt32 COMMENT 'as in ledger',
    epoch        UInt32 COMMENT 'as in ledger',
    first_offset Int64 COMMENT 'as in ledger',
    seq          Int64 COMMENT 'as in ledger',
    offset       Int64 COMMENT 'as in ledger',
    timestamp    Int64 COMMENT 'as in ledger',
    log_time     Int64 COMMENT 'as in ledger',
    value        Nullable(String) COMMENT 'as in ledger',
    record_hash  FixedString(32) COMMENT 'as in ledger',
    entry_hash   FixedString(32) COMMENT 'as in ledger',
    status       LowCardinality(String) COMMENT 'as in ledger',
    mode         LowCardinality(String) COMMENT 'as in ledger',
    source       LowCardinality(String) COMMENT 'as in ledger',
    id           String COMMENT 'as in ledger',
    type         LowCardinality(String) COMMENT 'as in ledger',
    subject      String COMMENT 'as in ledger',
    time         Nullable(DateTime64(6, 'UTC')) COMMENT 'as in ledger',
    actor        LowCardinality(String) COMMENT 'as in ledger',
    tenant       LowCardinality(String) COMMENT 'as in ledger'
)
ENGINE = Null
COMMENT 'Holds nothing: hands everything but predictions and their outcomes on to the feeds of the families';

CREATE MATERIALIZED VIEW events_feed_from_ledger TO events_feed AS
SELECT
    ledger.chain AS chain,
    ledger.cluster AS cluster,
    ledger.topic AS topic,
    ledger.partition AS partition,
    ledger.epoch AS epoch,
    ledger.first_offset AS first_offset,
    ledger.seq AS seq,
    ledger.offset AS offset,
    ledger.timestamp AS timestamp,
    ledger.log_time AS log_time,
    ledger.value AS value,
    ledger.record_hash AS record_hash,
    ledger.entry_hash AS entry_hash,
    ledger.status AS status,
    ledger.mode AS mode,
    ledger.source AS source,
    ledger.id AS id,
    ledger.type AS type,
    ledger.subject AS subject,
    ledger.time AS time,
    ledger.actor AS actor,
    ledger.tenant AS tenant
FROM ledger
WHERE ledger.status = 'valid' AND NOT startsWith(ledger.type, 'modeltrail.prediction.')
COMMENT 'Feeds the feeds of the families with each insert into the ledger';

CREATE TABLE classifications_feed AS events_feed
ENGINE = Null
COMMENT 'Holds nothing: hands entries on to their views, which so cost nothing where there are none';

CREATE MATERIALIZED VIEW classifications_feed_from_events TO classifications_feed AS
SELECT * FROM events_feed
WHERE startsWith(type, 'modeltrail.classification.')
COMMENT 'Feeds the views behind classifications_feed with each insert into the ledger';

CREATE TABLE classifications
(
    chain            LowCardinality(String) COMMENT 'the chain of the entry',
    seq              Int64 COMMENT 'position of the entry in its chain',
    entry_hash       FixedString(32) COMMENT 'hash of the entry',
    cluster          LowCardinality(String) COMMENT 'Kafka cluster id',
    topic            LowCardinality(String) COMMENT 'Kafka topic',
    partition        UInt32 COMMENT 'Kafka partition',
    offset           Int64 COMMENT 'Kafka offset',
    timestamp        Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash      FixedString(32) COMMENT 'SHA-256 of the record',
    version          Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time         Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source           LowCardinality(String) COMMENT 'CloudEvents source',
    id               String COMMENT 'CloudEvents id',
    subject          String COMMENT 'CloudEvents subject',
    time             DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor            LowCardinality(String) COMMENT 'who acted',
    tenant           LowCardinality(String) COMMENT 'owner of the data',
    item_id          String COMMENT 'what was classified',
    label            LowCardinality(String) COMMENT 'the label that it carries now',
    previous_label   LowCardinality(Nullable(String)) COMMENT 'the label before, as the producer knew it',
    origin           LowCardinality(String) COMMENT 'import, model, batch, user, admin or fallback',
    confidence       Nullable(Float64) COMMENT 'how sure, 0 to 1',
    method           LowCardinality(Nullable(String)) COMMENT 'how the label was found',
    model_id         LowCardinality(Nullable(String)) COMMENT 'the model, where one was used',
    model_version    LowCardinality(Nullable(String)) COMMENT 'the version of the model',
    reason           Nullable(String) COMMENT 'why',
    features_number  Map(String, Float64) COMMENT 'features that are numbers',
    features_text    Map(String, String) COMMENT 'features that are strings, and true and false as text',
    features_missing Array(LowCardinality(String)) COMMENT 'names of features that are null',
    metadata         String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (item_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Which label an item was given, one row an event.';

CREATE MATERIALIZED VIEW classifications_from_ledger TO classifications AS
WITH
    'Tuple(
        item_id String,
        label String,
        previous_label Nullable(String),
        origin String,
        confidence Nullable(Float64),
        method Nullable(String),
        model_id Nullable(String),
        model_version Nullable(String),
        reason Nullable(String),
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
    data.item_id AS item_id,
    data.label AS label,
    data.previous_label AS previous_label,
    data.origin AS origin,
    data.confidence AS confidence,
    data.method AS method,
    data.model_id AS model_id,
    data.model_version AS model_version,
    data.reason AS reason,
    mapFromArrays((arrayFilter(x -> x.2 >= '-' AND x.2 < ':', features) AS numbers).1, JSONExtract(concat('[', arrayStringConcat(numbers.2, ','), ']'), 'Array(Float64)')) AS features_number,
    mapFromArrays((arrayFilter(x -> x.2 < '-' OR x.2 IN ('true', 'false'), features) AS texts).1, JSONExtract(concat('[', arrayStringConcat(texts.2, ','), ']'), 'Array(String)')) AS features_text,
    arrayMap(x -> x.1, arrayFilter(x -> x.2 = 'null', features)) AS features_missing,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM classifications_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.classification.recorded.v1'
COMMENT 'Fills classifications with each insert into the ledger';
