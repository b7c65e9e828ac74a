-- What runs did with items, and with rules on items.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.

CREATE TABLE runs_items_processed
(
    chain           LowCardinality(String) COMMENT 'the chain of the entry',
    seq             Int64 COMMENT 'position of the entry in its chain',
    entry_hash      FixedString(32) COMMENT 'hash of the entry',
    cluster         LowCardinality(String) COMMENT 'Kafka cluster id',
    topic           LowCardinality(String) COMMENT 'Kafka topic',
    partition       UInt32 COMMENT 'Kafka partition',
    offset          Int64 COMMENT 'Kafka offset',
    timestamp       Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash     FixedString(32) COMMENT 'SHA-256 of the record',
    version         Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time        Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source          LowCardinality(String) COMMENT 'CloudEvents source',
    id              String COMMENT 'CloudEvents id',
    subject         String COMMENT 'CloudEvents subject',
    time            DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor           LowCardinality(String) COMMENT 'who acted',
    tenant          LowCardinality(String) COMMENT 'owner of the data',
    run_id          String COMMENT 'the run',
    item_id         String COMMENT 'the item',
    attributes      Map(String, Nullable(String)) COMMENT 'what the item is like, the JSON scalars as text',
    predictions     Int64 COMMENT 'how many predictions were made for it',
    best            LowCardinality(Nullable(String)) COMMENT 'the label that was chosen',
    best_confidence Nullable(Float64) COMMENT 'how sure, 0 to 1',
    matched_rules   Array(LowCardinality(String)) COMMENT 'ids of the rules that matched',
    duration_ms     Float64 COMMENT 'how long it took, milliseconds',
    metadata        String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Items that a run finished, one row an event.';

CREATE MATERIALIZED VIEW runs_items_processed_from_ledger TO runs_items_processed AS
WITH
    'Tuple(
        run_id String,
        item_id String,
        attributes Map(String, Nullable(String)),
        predictions Int64,
        best Nullable(String),
        best_confidence Nullable(Float64),
        matched_rules Array(String),
        duration_ms Float64,
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
    data.run_id AS run_id,
    data.item_id AS item_id,
    data.attributes AS attributes,
    data.predictions AS predictions,
    data.best AS best,
    data.best_confidence AS best_confidence,
    data.matched_rules AS matched_rules,
    data.duration_ms AS duration_ms,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.item_processed.v1'
COMMENT 'Fills runs_items_processed with each insert into the ledger';

CREATE TABLE runs_items_skipped
(
    chain       LowCardinality(String) COMMENT 'the chain of the entry',
    seq         Int64 COMMENT 'position of the entry in its chain',
    entry_hash  FixedString(32) COMMENT 'hash of the entry',
    cluster     LowCardinality(String) COMMENT 'Kafka cluster id',
    topic       LowCardinality(String) COMMENT 'Kafka topic',
    partition   UInt32 COMMENT 'Kafka partition',
    offset      Int64 COMMENT 'Kafka offset',
    timestamp   Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash FixedString(32) COMMENT 'SHA-256 of the record',
    version     Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time    Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source      LowCardinality(String) COMMENT 'CloudEvents source',
    id          String COMMENT 'CloudEvents id',
    subject     String COMMENT 'CloudEvents subject',
    time        DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor       LowCardinality(String) COMMENT 'who acted',
    tenant      LowCardinality(String) COMMENT 'owner of the data',
    run_id      String COMMENT 'the run',
    item_id     String COMMENT 'the item',
    category    LowCardinality(String) COMMENT 'why, as a category',
    reason      String COMMENT 'why, in words',
    details     String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Items that a run left out, one row an event.';

CREATE MATERIALIZED VIEW runs_items_skipped_from_ledger TO runs_items_skipped AS
WITH
    'Tuple(
        run_id String,
        item_id String,
        category String,
        reason String,
        details String)' AS shape,
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
    data.run_id AS run_id,
    data.item_id AS item_id,
    data.category AS category,
    data.reason AS reason,
    if(empty(data.details), '{}', data.details) AS details
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.item_skipped.v1'
COMMENT 'Fills runs_items_skipped with each insert into the ledger';

CREATE TABLE runs_rules_evaluated
(
    chain       LowCardinality(String) COMMENT 'the chain of the entry',
    seq         Int64 COMMENT 'position of the entry in its chain',
    entry_hash  FixedString(32) COMMENT 'hash of the entry',
    cluster     LowCardinality(String) COMMENT 'Kafka cluster id',
    topic       LowCardinality(String) COMMENT 'Kafka topic',
    partition   UInt32 COMMENT 'Kafka partition',
    offset      Int64 COMMENT 'Kafka offset',
    timestamp   Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash FixedString(32) COMMENT 'SHA-256 of the record',
    version     Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time    Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source      LowCardinality(String) COMMENT 'CloudEvents source',
    id          String COMMENT 'CloudEvents id',
    subject     String COMMENT 'CloudEvents subject',
    time        DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor       LowCardinality(String) COMMENT 'who acted',
    tenant      LowCardinality(String) COMMENT 'owner of the data',
    run_id      String COMMENT 'the run',
    item_id     String COMMENT 'the item',
    rule_id     LowCardinality(String) COMMENT 'the rule',
    rule_code   LowCardinality(String) COMMENT 'what people call it',
    triggered   Bool COMMENT 'whether it matched',
    reason      Nullable(String) COMMENT 'why, in words',
    conditions  Map(String, Nullable(String)) COMMENT 'what it looked at, the JSON scalars as text',
    confidence  Nullable(Float64) COMMENT 'how sure, 0 to 1',
    duration_ms Float64 COMMENT 'how long it took, milliseconds',
    metadata    String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Rules that a run evaluated for an item, one row an event.';

CREATE MATERIALIZED VIEW runs_rules_evaluated_from_ledger TO runs_rules_evaluated AS
WITH
    'Tuple(
        run_id String,
        item_id String,
        rule_id String,
        rule_code String,
        triggered Bool,
        reason Nullable(String),
        conditions Map(String, Nullable(String)),
        confidence Nullable(Float64),
        duration_ms Float64,
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
    data.run_id AS run_id,
    data.item_id AS item_id,
    data.rule_id AS rule_id,
    data.rule_code AS rule_code,
    data.triggered AS triggered,
    data.reason AS reason,
    data.conditions AS conditions,
    data.confidence AS confidence,
    data.duration_ms AS duration_ms,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.rule_evaluated.v1'
COMMENT 'Fills runs_rules_evaluated with each insert into the ledger';
