-- Models, and what the watch is told about them.
-- A typed table holds what its view extracts from the valid entries of one event type; both can be made again
-- from the ledger at any time. A view never throws: what is not there, or not of its type, is null, empty, or what
-- the contract says of an absent member. To prepare a view costs the server ten milliseconds an insert, whether there
-- is anything for it or not. So views of types that do not come by the thousand read from a feed, a table that holds
-- nothing.

CREATE TABLE models_feed AS events_feed
ENGINE = Null
COMMENT 'Holds nothing: hands entries on to their views, which so cost nothing where there are none';

CREATE MATERIALIZED VIEW models_feed_from_events TO models_feed AS
SELECT * FROM events_feed
WHERE type IN ('modeltrail.model.registered.v1', 'modeltrail.baseline.registered.v1', 'modeltrail.monitor.configured.v1', 'modeltrail.monitor.advanced.v1')
COMMENT 'Feeds the views behind models_feed with each insert into the ledger';

CREATE TABLE models_registered
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
    model_id            LowCardinality(String) COMMENT 'the model',
    name                String COMMENT 'what people call it',
    model_version       LowCardinality(String) COMMENT 'the version of the model',
    parent_model_id     LowCardinality(Nullable(String)) COMMENT 'the model that it was made from',
    framework           LowCardinality(Nullable(String)) COMMENT 'what it was made with',
    artifact_uri        Nullable(String) COMMENT 'where its file is',
    artifact_sha256     Nullable(String) COMMENT 'SHA-256 of its file, hex',
    training_rows       Nullable(Int64) COMMENT 'rows of the training set',
    training_since      Nullable(DateTime64(6, 'UTC')) COMMENT 'event time of its first row',
    training_until      Nullable(DateTime64(6, 'UTC')) COMMENT 'event time after its last row',
    training_duration_s Nullable(Float64) COMMENT 'how long it took, seconds',
    training_notes      Nullable(String) COMMENT 'what else should be known',
    metrics             Map(String, Float64) COMMENT 'how good it was on data held back',
    label_distribution  Map(String, Float64) COMMENT 'share of each label in the training set',
    confidence_stats    Map(String, Float64) COMMENT 'what its confidence looked like',
    metadata            String COMMENT 'anything else, JSON'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Versions of models, one row an event.';

CREATE MATERIALIZED VIEW models_registered_from_ledger TO models_registered AS
WITH
    'Tuple(
        model_id String,
        name String,
        version String,
        parent_model_id Nullable(String),
        framework Nullable(String),
        artifact Tuple(uri Nullable(String), sha256 Nullable(String)),
        training Tuple(rows Nullable(Int64), since Nullable(String), until Nullable(String), duration_s Nullable(Float64), notes Nullable(String)),
        metrics Map(String, Float64),
        label_distribution Map(String, Float64),
        confidence_stats Map(String, Float64),
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
    data.model_id AS model_id,
    data.name AS name,
    data.version AS model_version,
    data.parent_model_id AS parent_model_id,
    data.framework AS framework,
    data.artifact.uri AS artifact_uri,
    data.artifact.sha256 AS artifact_sha256,
    data.training.rows AS training_rows,
    parseDateTime64BestEffortOrNull(data.training.since, 6, 'UTC') AS training_since,
    parseDateTime64BestEffortOrNull(data.training.until, 6, 'UTC') AS training_until,
    data.training.duration_s AS training_duration_s,
    data.training.notes AS training_notes,
    data.metrics AS metrics,
    data.label_distribution AS label_distribution,
    data.confidence_stats AS confidence_stats,
    if(empty(data.metadata), '{}', data.metadata) AS metadata
FROM models_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.model.registered.v1'
COMMENT 'Fills models_registered with each insert into the ledger';

CREATE TABLE baselines
(
    chain          LowCardinality(String) COMMENT 'the chain of the entry',
    seq            Int64 COMMENT 'position of the entry in its chain',
    entry_hash     FixedString(32) COMMENT 'hash of the entry',
    cluster        LowCardinality(String) COMMENT 'Kafka cluster id',
    topic          LowCardinality(String) COMMENT 'Kafka topic',
    partition      UInt32 COMMENT 'Kafka partition',
    offset         Int64 COMMENT 'Kafka offset',
    timestamp      Int64 COMMENT 'Kafka record timestamp, milliseconds since 1970',
    record_hash    FixedString(32) COMMENT 'SHA-256 of the record',
    version        Int128 COMMENT 'less in a later epoch, so that a record in two epochs counts in the lowest: -(epoch * 2^64 + first offset)',
    log_time       Int64 COMMENT 'running maximum of timestamp along the chain, milliseconds since 1970',
    source         LowCardinality(String) COMMENT 'CloudEvents source',
    id             String COMMENT 'CloudEvents id',
    subject        String COMMENT 'CloudEvents subject',
    time           DateTime64(6, 'UTC') COMMENT 'CloudEvents time, when it happened at the producer',
    actor          LowCardinality(String) COMMENT 'who acted',
    tenant         LowCardinality(String) COMMENT 'owner of the data',
    baseline_id    String COMMENT 'names the baseline',
    model_id       LowCardinality(String) COMMENT 'the model',
    model_version  LowCardinality(String) COMMENT 'the version of the model',
    sha256         String COMMENT 'SHA-256 of its canonical content, hex',
    rows           Int64 COMMENT 'rows of the reference',
    chunk_rows     Nullable(Int64) COMMENT 'rows of a chunk, where phi and tolerance were learned',
    positive_label Nullable(String) COMMENT 'the class that scores speak of',
    kind           LowCardinality(Nullable(String)) COMMENT 'what the model predicts',
    fields         Array(Tuple(name String, role String, kind String, n Int64, missing Int64, mistyped Int64, edges Array(String), categories Array(String), counts Array(Int64), groups Array(Int64), mean Nullable(Float64), std Nullable(Float64), phi Float64, tolerance Float64, learned Bool)) COMMENT 'the fields: bins by their inner edges as hex floats, or categories, and rows in each',
    segments       Array(Tuple(`by` String, value String, fields Array(Tuple(name String, role String, kind String, n Int64, missing Int64, mistyped Int64, edges Array(String), categories Array(String), counts Array(Int64), groups Array(Int64), mean Nullable(Float64), std Nullable(Float64), phi Float64, tolerance Float64, learned Bool)), performance Array(Tuple(metric String, value Float64, n Int64, low Nullable(Float64), high Nullable(Float64), variance Nullable(Float64), classes Nullable(Int64))))) COMMENT 'the same fields by group, and how good the model was in it',
    performance    Array(Tuple(metric String, value Float64, n Int64, low Nullable(Float64), high Nullable(Float64), variance Nullable(Float64), classes Nullable(Int64))) COMMENT 'how good the model was',
    bias           Array(Tuple(`by` String, metric String, value Float64, n Int64)) COMMENT 'how far apart groups were',
    source_kind    LowCardinality(String) COMMENT 'sample, training_set, ledger_range or learned',
    source_name    Nullable(String) COMMENT 'name of the file or set',
    source_rows    Int64 COMMENT 'rows that it was made from',
    source_since   Nullable(DateTime64(6, 'UTC')) COMMENT 'event time of the first',
    source_until   Nullable(DateTime64(6, 'UTC')) COMMENT 'event time after the last',
    source_sha256  Nullable(String) COMMENT 'SHA-256 of the file, hex',
    source_cut     Map(String, Int64) COMMENT 'of rows from the ledger: the last entry that was read of each chain'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'References for drift, one row an event.';

CREATE MATERIALIZED VIEW baselines_from_ledger TO baselines AS
WITH
    'Tuple(
        baseline_id String,
        model_id String,
        model_version String,
        sha256 String,
        rows Int64,
        chunk_rows Nullable(Int64),
        positive_label Nullable(String),
        kind Nullable(String),
        fields Array(Tuple(name String, role String, kind String, n Int64, missing Int64, mistyped Int64, edges Array(String), categories Array(String), counts Array(Int64), groups Array(Int64), mean Nullable(Float64), std Nullable(Float64), phi Nullable(Float64), tolerance Nullable(Float64), learned Bool)),
        segments Array(Tuple(`by` String, value String, fields Array(Tuple(name String, role String, kind String, n Int64, missing Int64, mistyped Int64, edges Array(String), categories Array(String), counts Array(Int64), groups Array(Int64), mean Nullable(Float64), std Nullable(Float64), phi Nullable(Float64), tolerance Nullable(Float64), learned Bool)), performance Array(Tuple(metric String, value Float64, n Int64, low Nullable(Float64), high Nullable(Float64), variance Nullable(Float64), classes Nullable(Int64))))),
        performance Array(Tuple(metric String, value Float64, n Int64, low Nullable(Float64), high Nullable(Float64), variance Nullable(Float64), classes Nullable(Int64))),
        bias Array(Tuple(`by` String, metric String, value Float64, n Int64)),
        source Tuple(kind String, name Nullable(String), rows Int64, since Nullable(String), until Nullable(String), sha256 Nullable(String), cut Map(String, Int64)))' AS shape,
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
    data.baseline_id AS baseline_id,
    data.model_id AS model_id,
    data.model_version AS model_version,
    data.sha256 AS sha256,
    data.rows AS rows,
    data.chunk_rows AS chunk_rows,
    data.positive_label AS positive_label,
    data.kind AS kind,
    arrayMap(x -> (x.name, x.role, x.kind, x.n, x.missing, x.mistyped, x.edges, x.categories, x.counts, x.groups, x.mean, x.std, ifNull(x.phi, 1), ifNull(x.tolerance, 0.005), x.learned), data.fields) AS fields,
    arrayMap(s -> (s.`by`, s.value, arrayMap(x -> (x.name, x.role, x.kind, x.n, x.missing, x.mistyped, x.edges, x.categories, x.counts, x.groups, x.mean, x.std, ifNull(x.phi, 1), ifNull(x.tolerance, 0.005), x.learned), s.fields), s.performance), data.segments) AS segments,
    data.performance AS performance,
    data.bias AS bias,
    data.source.kind AS source_kind,
    data.source.name AS source_name,
    data.source.rows AS source_rows,
    parseDateTime64BestEffortOrNull(data.source.since, 6, 'UTC') AS source_since,
    parseDateTime64BestEffortOrNull(data.source.until, 6, 'UTC') AS source_until,
    data.source.sha256 AS source_sha256,
    data.source.cut AS source_cut
FROM models_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.baseline.registered.v1'
COMMENT 'Fills baselines with each insert into the ledger';

CREATE TABLE monitors
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
    monitor_id          String COMMENT 'names the monitor',
    model_id            LowCardinality(String) COMMENT 'the model',
    model_version       LowCardinality(Nullable(String)) COMMENT 'its version; every one where null',
    enabled             Bool COMMENT 'whether it is in force',
    baseline_id         Nullable(String) COMMENT 'the baseline; the newest of model and version where null',
    fields              Array(String) COMMENT 'fields of the baseline to compare; all where empty',
    window_kind         LowCardinality(String) COMMENT 'tumbling, sliding, schedule or count',
    window_size_s       Nullable(Int64) COMMENT 'length of a window, seconds',
    window_step_s       Nullable(Int64) COMMENT 'from one start to the next, seconds',
    window_cron         Nullable(String) COMMENT 'when a window ends and the next begins',
    window_timezone     LowCardinality(Nullable(String)) COMMENT 'time zone of cron',
    window_every        Nullable(Int64) COMMENT 'predictions in a window',
    allowed_lateness_s  Int64 COMMENT 'how far event time must go on before a window closes, seconds',
    preset              LowCardinality(String) COMMENT 'numbers of the policy that go together',
    fdr                 Nullable(Float64) COMMENT 'share of false findings that is put up with',
    delta0              Nullable(Float64) COMMENT 'debiased PSI that is harmless',
    d0                  Nullable(Float64) COMMENT 'Kolmogorov-Smirnov distance that is harmless',
    raise_at            LowCardinality(Nullable(String)) COMMENT 'state from which alerts are raised',
    consecutive         Int64 COMMENT 'windows in a row that a state must hold',
    learned_tolerance   Bool COMMENT 'whether the tolerance that a baseline learned is used',
    psi_warning         Float64 COMMENT 'debiased PSI from which it is a warning',
    psi_critical        Float64 COMMENT 'debiased PSI from which it is critical',
    segments            Array(String) COMMENT 'strata or features whose values are looked at one by one',
    performance         Array(Tuple(metric String, max_drop Nullable(Float64), threshold Nullable(Float64), label_delay_s Int64, min_coverage Float64)) COMMENT 'metrics against the truth',
    bias                Array(Tuple(`by` String, metric String, max_gap Float64, label_delay_s Int64)) COMMENT 'gaps between groups',
    silence_max_gap_s   Nullable(Int64) COMMENT 'seconds without a prediction from which it is silent',
    silence_rate_factor Nullable(Float64) COMMENT 'factor by which the rate may fall or rise',
    learn_predictions   Nullable(Int64) COMMENT 'predictions to learn a baseline from, where there is none',
    late_horizon        Int64 COMMENT 'windows for which late predictions are still counted',
    max_wait_s          Int64 COMMENT 'how long a partition is waited for, seconds'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'What the watch does for a model, one row an event.';

CREATE MATERIALIZED VIEW monitors_from_ledger TO monitors AS
WITH
    'Tuple(
        monitor_id String,
        model_id String,
        model_version Nullable(String),
        enabled Nullable(Bool),
        baseline_id Nullable(String),
        fields Array(String),
        window Tuple(kind Nullable(String), size_s Nullable(Int64), step_s Nullable(Int64), cron Nullable(String), timezone Nullable(String), every Nullable(Int64), allowed_lateness_s Int64),
        policy Tuple(preset Nullable(String), fdr Nullable(Float64), delta0 Nullable(Float64), d0 Nullable(Float64), raise_at Nullable(String), consecutive Nullable(Int64), learned_tolerance Nullable(Bool)),
        thresholds Tuple(psi_warning Nullable(Float64), psi_critical Nullable(Float64)),
        segments Array(String),
        performance Array(Tuple(metric String, max_drop Nullable(Float64), threshold Nullable(Float64), label_delay_s Int64, min_coverage Nullable(Float64))),
        bias Array(Tuple(`by` String, metric String, max_gap Float64, label_delay_s Int64)),
        silence Tuple(max_gap_s Nullable(Int64), rate_factor Nullable(Float64)),
        learn Tuple(predictions Nullable(Int64)),
        late_horizon Nullable(Int64),
        max_wait_s Nullable(Int64))' AS shape,
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
    data.monitor_id AS monitor_id,
    data.model_id AS model_id,
    data.model_version AS model_version,
    ifNull(data.enabled, true) AS enabled,
    data.baseline_id AS baseline_id,
    data.fields AS fields,
    ifNull(data.window.kind, 'tumbling') AS window_kind,
    if(isNull(data.window.kind), 86400, data.window.size_s) AS window_size_s,
    data.window.step_s AS window_step_s,
    data.window.cron AS window_cron,
    if(isNull(data.window.cron), NULL, ifNull(data.window.timezone, 'UTC')) AS window_timezone,
    data.window.every AS window_every,
    data.window.allowed_lateness_s AS allowed_lateness_s,
    ifNull(data.policy.preset, 'default') AS preset,
    data.policy.fdr AS fdr,
    data.policy.delta0 AS delta0,
    data.policy.d0 AS d0,
    data.policy.raise_at AS raise_at,
    ifNull(data.policy.consecutive, 2) AS consecutive,
    ifNull(data.policy.learned_tolerance, true) AS learned_tolerance,
    ifNull(data.thresholds.psi_warning, 0.1) AS psi_warning,
    ifNull(data.thresholds.psi_critical, 0.25) AS psi_critical,
    data.segments AS segments,
    arrayMap(x -> (x.metric, x.max_drop, x.threshold, x.label_delay_s, ifNull(x.min_coverage, 0.9)), data.performance) AS performance,
    data.bias AS bias,
    data.silence.max_gap_s AS silence_max_gap_s,
    data.silence.rate_factor AS silence_rate_factor,
    data.learn.predictions AS learn_predictions,
    ifNull(data.late_horizon, 4) AS late_horizon,
    ifNull(data.max_wait_s, 900) AS max_wait_s
FROM models_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.monitor.configured.v1'
COMMENT 'Fills monitors with each insert into the ledger';

CREATE TABLE monitors_advanced
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
    model_id    LowCardinality(String) COMMENT 'the model',
    through     Nullable(DateTime64(6, 'UTC')) COMMENT 'all predictions up to this event time are sent'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model_id, cluster, topic, partition, offset, timestamp, record_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728
COMMENT 'Up to when all predictions of a model are sent, one row an event.';

CREATE MATERIALIZED VIEW monitors_advanced_from_ledger TO monitors_advanced AS
WITH
    'Tuple(
        model_id String,
        through String)' AS shape,
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
    data.model_id AS model_id,
    parseDateTime64BestEffortOrNull(data.through, 6, 'UTC') AS through
FROM models_feed AS ledger
WHERE ledger.status = 'valid' AND ledger.type = 'modeltrail.monitor.advanced.v1'
COMMENT 'Fills monitors_advanced with each insert into the ledger';
