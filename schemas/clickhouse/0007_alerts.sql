-- What Modeltrail itself found.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.
-- To prepare a view costs the server ten milliseconds an insert, whether there is anything for it or not. So views of
-- types that do not come by the thousand read from a feed, a table that holds nothing.

CREATE TABLE alerts_feed AS events_feed
ENGINE = Null
COMMENT 'Holds nothing: hands entries on to their views, which so cost nothing where there are none';

CREATE MATERIALIZED VIEW alerts_feed_from_events TO alerts_feed AS
SELECT * FROM events_feed
WHERE startsWith(type, 'modeltrail.alert.')
COMMENT 'Feeds the views behind alerts_feed with each insert into the ledger';

CREATE TABLE alerts_raised
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
    alert_id      String COMMENT 'names the condition: raised and resolved carry the same',
    kind          LowCardinality(String) COMMENT 'what was found',
    severity      LowCardinality(String) COMMENT 'info, warning or critical',
    alert_subject String COMMENT 'what it is about',
    message       String COMMENT 'a sentence for people',
    opened_at     Nullable(DateTime64(6, 'UTC')) COMMENT 'when the condition began',
    evidence      String COMMENT 'what it was found from, JSON',
    supersedes    Nullable(String) COMMENT 'the alert that this one replaces',
    `by`          Nullable(String) COMMENT 'who acted on it',
    note          Nullable(String) COMMENT 'what they said'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Conditions that began to hold, one row an event.';

CREATE MATERIALIZED VIEW alerts_raised_from_ledger TO alerts_raised AS
WITH
    'Tuple(
        alert_id String,
        kind String,
        severity String,
        subject String,
        message String,
        opened_at String,
        evidence String,
        supersedes Nullable(String),
        `by` Nullable(String),
        note Nullable(String))' AS shape,
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
    data.alert_id AS alert_id,
    data.kind AS kind,
    data.severity AS severity,
    data.subject AS alert_subject,
    data.message AS message,
    parseDateTime64BestEffortOrNull(data.opened_at, 6, 'UTC') AS opened_at,
    if(empty(data.evidence), '{}', data.evidence) AS evidence,
    data.supersedes AS supersedes,
    data.`by` AS `by`,
    data.note AS note
FROM alerts_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.alert.raised.v1'
COMMENT 'Fills alerts_raised with each insert into the ledger';

CREATE TABLE alerts_resolved
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
    alert_id      String COMMENT 'names the condition: raised and resolved carry the same',
    kind          LowCardinality(String) COMMENT 'what was found',
    severity      LowCardinality(String) COMMENT 'info, warning or critical',
    alert_subject String COMMENT 'what it is about',
    message       String COMMENT 'a sentence for people',
    opened_at     Nullable(DateTime64(6, 'UTC')) COMMENT 'when the condition began',
    evidence      String COMMENT 'what it was found from, JSON',
    supersedes    Nullable(String) COMMENT 'the alert that this one replaces',
    `by`          Nullable(String) COMMENT 'who acted on it',
    note          Nullable(String) COMMENT 'what they said'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Conditions that hold no more, one row an event.';

CREATE MATERIALIZED VIEW alerts_resolved_from_ledger TO alerts_resolved AS
WITH
    'Tuple(
        alert_id String,
        kind String,
        severity String,
        subject String,
        message String,
        opened_at String,
        evidence String,
        supersedes Nullable(String),
        `by` Nullable(String),
        note Nullable(String))' AS shape,
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
    data.alert_id AS alert_id,
    data.kind AS kind,
    data.severity AS severity,
    data.subject AS alert_subject,
    data.message AS message,
    parseDateTime64BestEffortOrNull(data.opened_at, 6, 'UTC') AS opened_at,
    if(empty(data.evidence), '{}', data.evidence) AS evidence,
    data.supersedes AS supersedes,
    data.`by` AS `by`,
    data.note AS note
FROM alerts_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.alert.resolved.v1'
COMMENT 'Fills alerts_resolved with each insert into the ledger';

CREATE TABLE alerts_acknowledged
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
    alert_id    String COMMENT 'the alert',
    `by`        LowCardinality(String) COMMENT 'who takes care of it',
    note        Nullable(String) COMMENT 'what they said'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Alerts that somebody saw, one row an event.';

CREATE MATERIALIZED VIEW alerts_acknowledged_from_ledger TO alerts_acknowledged AS
WITH
    'Tuple(
        alert_id String,
        `by` String,
        note Nullable(String))' AS shape,
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
    data.alert_id AS alert_id,
    data.`by` AS `by`,
    data.note AS note
FROM alerts_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.alert.acknowledged.v1'
COMMENT 'Fills alerts_acknowledged with each insert into the ledger';
