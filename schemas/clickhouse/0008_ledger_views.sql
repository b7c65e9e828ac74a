-- Views over the ledger itself.
-- A record that stands in two epochs (equal cluster, topic, partition, offset, timestamp and record hash) counts
-- once, in the lowest; identical rows of a block that was inserted twice count once.

CREATE VIEW chains AS
SELECT
    chain,
    any(ledger.cluster) AS cluster,
    any(ledger.topic) AS topic,
    any(ledger.partition) AS partition,
    any(ledger.epoch) AS epoch,
    any(ledger.first_offset) AS first_offset,
    count() AS entries,
    uniqExact(seq) AS positions,
    min(seq) AS first_seq,
    max(seq) AS last_seq,
    min(if(kind = 'gap', gap_first, offset)) AS begin_offset,
    max(offset) AS last_offset,
    argMax(entry_hash, seq) AS head_hash,
    countIf(kind = 'record') AS records,
    countIf(status = 'valid') AS valid,
    countIf(status = 'rejected') AS rejected,
    countIf(kind = 'gap') AS gaps,
    max(ledger.log_time) AS log_time,
    max(ledger.appended_at) AS appended_at
FROM ledger FINAL
GROUP BY chain
COMMENT 'One row a chain; more entries than positions means that the chain forks';

CREATE VIEW ingest_stats AS
SELECT
    toStartOfHour(fromUnixTimestamp64Milli(timestamp, 'UTC')) AS hour,
    cluster,
    topic,
    partition,
    type,
    uniqExact((offset, timestamp, record_hash)) AS records,
    uniqExactIf((offset, timestamp, record_hash), status = 'valid') AS valid,
    uniqExactIf((offset, timestamp, record_hash), status = 'rejected') AS rejected,
    max(ledger.log_time) AS last_log_time
FROM ledger
WHERE kind = 'record'
GROUP BY hour, cluster, topic, partition, type
COMMENT 'Records by hour of their Kafka timestamp, topic, partition and type; type is empty where it could not be read';

CREATE VIEW rejections AS
SELECT
    fromUnixTimestamp64Milli(timestamp, 'UTC') AS logged_at,
    reason_class,
    reason,
    topic,
    partition,
    offset,
    source,
    id,
    type,
    contract,
    chain,
    seq,
    entry_hash,
    log_time
FROM ledger
WHERE status = 'rejected'
ORDER BY epoch, first_offset
LIMIT 1 BY cluster, topic, partition, offset, timestamp, record_hash
COMMENT 'Records that the contract refuses, each with its place in the ledger';

CREATE VIEW duplicates AS
SELECT
    source,
    id,
    count() AS records,
    arraySort(x -> x.1, groupArray(place)) AS places,
    places[1].2 AS first_type,
    places[1].3 AS first_chain,
    places[1].4 AS first_seq,
    CAST(
        arrayMap(x -> (x.2, x.3, x.4, x.5), arraySlice(places, 2)),
        'Array(Tuple(type String, chain String, seq Int64, offset Int64))') AS repeats
FROM
(
    SELECT
        source,
        id,
        argMin(
            tuple(
                (log_time, toString(cluster), toString(topic), partition, epoch, first_offset, seq),
                toString(type), toString(chain), seq, offset),
            (epoch, first_offset)) AS place
    FROM ledger
    WHERE status = 'valid'
    GROUP BY source, id, cluster, topic, partition, offset, timestamp, record_hash
)
GROUP BY source, id
HAVING records > 1
COMMENT 'Events that were published more than once with the same source and id: the first in watch order counts';
