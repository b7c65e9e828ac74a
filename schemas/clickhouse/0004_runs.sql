-- Runs, from start to end.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null or empty.
-- To prepare a view costs the server ten milliseconds an insert, whether there is anything for it or not. So views of
-- types that do not come by the thousand read from a feed, a table that holds nothing.

CREATE TABLE runs_feed AS events_feed
ENGINE = Null
COMMENT 'Holds nothing: hands entries on to their views, which so cost nothing where there are none';

CREATE MATERIALIZED VIEW runs_feed_from_events TO runs_feed AS
SELECT * FROM events_feed
WHERE startsWith(type, 'modeltrail.run.')
COMMENT 'Feeds the views behind runs_feed with each insert into the ledger';

CREATE TABLE runs_started
(
    chain               LowCardinality(String) COMMENT 'the chain of the entry',
    seq                 Int64 COMMENT 'position of the entry in its chain',
    entry_hash          FixedString(32) COMMENT 'hash of the entry',
    cluster             LowCardinality(String) COMMENT 'Kafka cluster id',
    topic               LowCardinality(String) COMMENT 'Kafka topic',
    partition           UInt32 COMMENT 'Kafka partition',
    offset              Int64 COMMENT 'Kafka offset',
    timestamp           Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash         FixedString(32) COMMENT 'SHA-256 of the record',
    version             Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time            Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source              LowCardinality(String) COMMENT 'CloudEvents source',
    id                  String COMMENT 'CloudEvents id',
    subject             String COMMENT 'CloudEvents subject',
    time                DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor               LowCardinality(String) COMMENT 'who acted',
    tenant              LowCardinality(String) COMMENT 'owner of the data',
    run_id              String COMMENT 'the run',
    `engine`            LowCardinality(String) COMMENT 'what executes the run',
    mode                LowCardinality(String) COMMENT 'production, test or sandbox',
    trigger             LowCardinality(String) COMMENT 'cron, admin, api or manual',
    input_kind          LowCardinality(Nullable(String)) COMMENT 'what sort of input',
    input_name          Nullable(String) COMMENT 'name of the input',
    input_sha256        Nullable(String) COMMENT 'SHA-256 of the input, hex',
    input_rows          Nullable(Int64) COMMENT 'rows of the input',
    expected_duration_s Nullable(Float64) COMMENT 'how long it should take, seconds',
    preflight           Array(Tuple(name String, passed Bool, detail String)) COMMENT 'what was checked before the start',
    metadata            String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Runs that began, one row an event.';

CREATE MATERIALIZED VIEW runs_started_from_ledger TO runs_started AS
WITH
    'Tuple(
        run_id String,
        `engine` String,
        mode String,
        trigger String,
        input Tuple(kind Nullable(String), name Nullable(String), sha256 Nullable(String), rows Nullable(Int64)),
        expected_duration_s Nullable(Float64),
        preflight Array(Tuple(name String, passed Bool, detail String)),
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
    data.`engine` AS `engine`,
    data.mode AS mode,
    data.trigger AS trigger,
    data.input.kind AS input_kind,
    data.input.name AS input_name,
    data.input.sha256 AS input_sha256,
    data.input.rows AS input_rows,
    data.expected_duration_s AS expected_duration_s,
    data.preflight AS preflight,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.started.v1'
COMMENT 'Fills runs_started with each insert into the ledger';

CREATE TABLE runs_health_checked
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
    run_id      String COMMENT 'the run; empty where none was begun',
    checks      Array(Tuple(name String, passed Bool, detail String)) COMMENT 'what was looked at',
    allowed     Bool COMMENT 'whether the run might go on',
    metadata    String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Preconditions of runs, one row an event.';

CREATE MATERIALIZED VIEW runs_health_checked_from_ledger TO runs_health_checked AS
WITH
    'Tuple(
        run_id String,
        checks Array(Tuple(name String, passed Bool, detail String)),
        allowed Bool,
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
    data.checks AS checks,
    data.allowed AS allowed,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.health_checked.v1'
COMMENT 'Fills runs_health_checked with each insert into the ledger';

CREATE TABLE runs_steps_failed
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
    kind        LowCardinality(String) COMMENT 'what sort of failure',
    message     String COMMENT 'what it said',
    stack       Nullable(String) COMMENT 'where it happened',
    severity    LowCardinality(String) COMMENT 'warning, error or critical',
    halted      Bool COMMENT 'whether the run stopped there',
    metadata    String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Steps of runs that failed, one row an event.';

CREATE MATERIALIZED VIEW runs_steps_failed_from_ledger TO runs_steps_failed AS
WITH
    'Tuple(
        run_id String,
        kind String,
        message String,
        stack Nullable(String),
        severity String,
        halted Bool,
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
    data.kind AS kind,
    data.message AS message,
    data.stack AS stack,
    data.severity AS severity,
    data.halted AS halted,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.failed_step.v1'
COMMENT 'Fills runs_steps_failed with each insert into the ledger';

CREATE TABLE runs_completed
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
    run_id           String COMMENT 'the run',
    status           LowCardinality(String) COMMENT 'completed, failed or partial',
    processed        Int64 COMMENT 'items processed',
    with_predictions Int64 COMMENT 'items with a prediction',
    skipped          Int64 COMMENT 'items skipped',
    predictions      Int64 COMMENT 'predictions made',
    rules_evaluated  Int64 COMMENT 'rule evaluations',
    rules_matched    Int64 COMMENT 'rule evaluations that matched',
    rules_used       Array(LowCardinality(String)) COMMENT 'ids of the rules that were in force',
    error            Nullable(String) COMMENT 'what went wrong',
    metadata         String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Runs that ended, one row an event.';

CREATE MATERIALIZED VIEW runs_completed_from_ledger TO runs_completed AS
WITH
    'Tuple(
        run_id String,
        status String,
        counts Tuple(processed Int64, with_predictions Int64, skipped Int64, predictions Int64, rules_evaluated Int64, rules_matched Int64),
        rules_used Array(String),
        error Nullable(String),
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
    data.status AS status,
    data.counts.processed AS processed,
    data.counts.with_predictions AS with_predictions,
    data.counts.skipped AS skipped,
    data.counts.predictions AS predictions,
    data.counts.rules_evaluated AS rules_evaluated,
    data.counts.rules_matched AS rules_matched,
    data.rules_used AS rules_used,
    data.error AS error,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM runs_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.run.completed.v1'
COMMENT 'Fills runs_completed with each insert into the ledger';
