-- The ledger: every Kafka record of every audited topic, one row each, byte for byte, hash-chained.
-- The table checks itself: a row whose hashes do not follow from its content is refused by the database,
-- because a forged row with the key of a genuine one would replace it at the next merge.

CREATE TABLE ledger
(
    chain          LowCardinality(String) COMMENT 'cluster/topic/partition/epoch-first offset; part of the hash',
    cluster        LowCardinality(String) COMMENT 'Kafka cluster id; tied to the chain by a constraint',
    topic          LowCardinality(String) COMMENT 'Kafka topic; tied to the chain by a constraint',
    partition      UInt32 COMMENT 'Kafka partition; tied to the chain by a constraint',
    epoch          UInt32 COMMENT 'counts the logs that this partition has had; tied to the chain by a constraint',
    first_offset   Int64 COMMENT 'where this epoch starts to read; tied to the chain by a constraint',
    seq            Int64 COMMENT 'position in the chain, from 0; part of the hash',
    offset         Int64 COMMENT 'Kafka offset; of a gap, the last one missing; part of the hash',
    timestamp      Int64 COMMENT 'Kafka record timestamp in milliseconds since 1970, -1 in a gap; part of the hash',
    log_time       Int64 COMMENT 'running maximum of timestamp along the chain; recomputed by verification',
    kind           LowCardinality(String) COMMENT 'record or gap; decides how record_hash is made',
    gap_first      Int64 COMMENT 'first missing offset of a gap, else 0; part of the hash of a gap',
    key            Nullable(String) COMMENT 'raw record key; part of the hash',
    headers        Array(Tuple(name String, value Nullable(String))) COMMENT 'raw record headers in order; part of the hash',
    value          Nullable(String) COMMENT 'raw record value; part of the hash',
    record_hash    FixedString(32) COMMENT 'SHA-256 of key, headers and value',
    prev_hash      FixedString(32) COMMENT 'entry hash of the entry before, or the genesis',
    entry_hash     FixedString(32) COMMENT 'SHA-256 of prev_hash and the preimage',
    status         LowCardinality(String) COMMENT 'valid, rejected or gap; recomputed by verification',
    reason_class   LowCardinality(String) COMMENT 'why rejected, from a closed set; recomputed by verification',
    reason         String COMMENT 'why rejected, a sentence; not proven by any hash',
    contract       UInt16 COMMENT 'version of the contract that the record was judged under; recomputed by verification',
    mode           LowCardinality(String) COMMENT 'CloudEvents content mode: binary, structured or empty; recomputed by verification',
    source         LowCardinality(String) COMMENT 'CloudEvents source; recomputed by verification',
    id             String COMMENT 'CloudEvents id; recomputed by verification',
    type           LowCardinality(String) COMMENT 'CloudEvents type; recomputed by verification',
    subject        String COMMENT 'CloudEvents subject; recomputed by verification',
    time           Nullable(DateTime64(6, 'UTC')) COMMENT 'CloudEvents time, when it happened at the producer; recomputed by verification',
    actor          LowCardinality(String) COMMENT 'who acted; recomputed by verification',
    tenant         LowCardinality(String) COMMENT 'owner of the data; recomputed by verification',
    sequence       String COMMENT 'counter of the producer; recomputed by verification',
    traceparent    String COMMENT 'W3C trace context; recomputed by verification',
    correlationid  String COMMENT 'correlation id; recomputed by verification',
    causationid    String COMMENT 'causation id; recomputed by verification',
    retentionclass LowCardinality(String) COMMENT 'retention rule; recomputed by verification',
    appended_at    DateTime64(3, 'UTC') COMMENT 'clock of the worker at the insert; not proven by any hash',

    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_hash entry_hash TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset offset TYPE minmax GRANULARITY 1,
    INDEX by_log_time log_time TYPE minmax GRANULARITY 1,
    INDEX by_time time TYPE minmax GRANULARITY 1,

    CONSTRAINT chain_names_its_parts CHECK chain = concat(cluster, '/', topic, '/', toString(partition), '/', toString(epoch), '-', toString(first_offset)),
    CONSTRAINT record_hash_follows_from_record CHECK record_hash = SHA256(if(kind = 'gap',
        concat('gap\n', toString(gap_first), '\n', toString(offset), '\n'),
        concat(
            if(isNull(key), '-,', concat(toString(length(assumeNotNull(key))), ':', assumeNotNull(key), ',')),
            toString(length(arrayStringConcat(arrayMap(h -> concat(
                toString(length(h.1)), ':', h.1, ',',
                if(isNull(h.2), '-,', concat(toString(length(assumeNotNull(h.2))), ':', assumeNotNull(h.2), ','))), headers)))), ':',
            arrayStringConcat(arrayMap(h -> concat(
                toString(length(h.1)), ':', h.1, ',',
                if(isNull(h.2), '-,', concat(toString(length(assumeNotNull(h.2))), ':', assumeNotNull(h.2), ','))), headers)), ',',
            if(isNull(value), '-,', concat(toString(length(assumeNotNull(value))), ':', assumeNotNull(value), ','))))),
    CONSTRAINT entry_hash_follows_from_entry CHECK entry_hash = SHA256(concat(
        prev_hash, 'modeltrail-entry/v1\n', chain, '\n', toString(seq), '\n', toString(offset), '\n',
        toString(timestamp), '\n', lower(hex(record_hash)), '\n')),
    CONSTRAINT gap_holds_nothing_else CHECK (kind = 'record' AND gap_first = 0 AND status IN ('valid', 'rejected'))
        OR (kind = 'gap' AND status = 'gap' AND isNull(key) AND isNull(value) AND empty(headers)
            AND timestamp = -1 AND gap_first >= 0 AND gap_first <= offset),
    CONSTRAINT position_is_natural CHECK seq >= 0 AND offset >= 0 AND first_offset >= 0 AND offset >= first_offset,
    CONSTRAINT log_time_never_behind CHECK log_time >= timestamp
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (chain, seq, entry_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728;
