-- The general audit record.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.
-- To prepare a view costs the server ten milliseconds an insert, whether there is anything for it or not. So views of
-- types that do not come by the thousand read from a feed, a table that holds nothing.

CREATE TABLE actions_feed AS events_feed
ENGINE = Null
COMMENT 'Holds nothing: hands entries on to their views, which so cost nothing where there are none';

CREATE MATERIALIZED VIEW actions_feed_from_events TO actions_feed AS
SELECT * FROM events_feed
WHERE startsWith(type, 'modeltrail.action.')
COMMENT 'Feeds the views behind actions_feed with each insert into the ledger';

CREATE TABLE actions
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
    action        LowCardinality(String) COMMENT 'what was done',
    resource_type LowCardinality(String) COMMENT 'the kind of thing that it was done to',
    resource_id   String COMMENT 'the thing; empty where no single one was meant',
    data          String COMMENT 'what was changed, JSON',
    details       String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (resource_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'What anyone did to anything, one row an action.';

CREATE MATERIALIZED VIEW actions_from_ledger TO actions AS
WITH
    'Tuple(
        action String,
        resource_type String,
        resource_id String,
        data String,
        details String)' AS shape,
    assumeNotNull(ledger.value) AS document,
    if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS content
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
    content.action AS action,
    content.resource_type AS resource_type,
    content.resource_id AS resource_id,
    if(empty(content.data), '{}', content.data) AS data,
    if(empty(content.details), '{}', content.details) AS details
FROM actions_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.action.recorded.v1'
COMMENT 'Fills actions with each insert into the ledger';
