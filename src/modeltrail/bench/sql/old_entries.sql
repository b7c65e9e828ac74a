-- Entries of an older log, so that the ledger is large: each row's own hashes are right, and the rows are not linked.
INSERT INTO ledger (chain, cluster, topic, partition, epoch, first_offset, seq, offset, timestamp, log_time, kind,
    gap_first, key, headers, value, record_hash, prev_hash, entry_hash, status, reason_class, reason, contract,
    mode, source, id, type, subject, time, actor, tenant, retentionclass, appended_at)
WITH
    number AS n,
    concat('e-', leftPad(toString(n), 8, '0')) AS event_id,
    concat('{"specversion":"1.0","id":"', event_id,
        '","source":"bench","type":"modeltrail.prediction.recorded.v1","subject":"p-', leftPad(toString(n), 8, '0'),
        '","time":"2026-01-02T03:04:05Z","actor":"bench","data":{"prediction_id":"p-', leftPad(toString(n), 8, '0'),
        '","item_id":"item-', toString(n % 100000), '","model_id":"delays","model_version":"1.0.0","kind":"binary",',
        '"score":0.', leftPad(toString(n * 7919 % 1000000), 6, '0'),
        ',"label":"on_time","features":{"carrier":"UA","dep_delay":', toString(n % 180), '}}}') AS text,
    SHA256(concat('6:delays,0:,', toString(length(text)), ':', text, ',')) AS of_record,
    SHA256(toString(n)) AS before,
    concat({cluster:String}, '/older/', toString(n % 4), '/0-0') AS name
SELECT
    name, {cluster:String}, 'older', n % 4, 0, 0, intDiv(n, 4), intDiv(n, 4), 1767323045000, 1767323045000, 'record',
    0, 'delays', [], text, of_record, before,
    SHA256(concat(before, 'modeltrail-entry/v1\n', name, '\n', toString(intDiv(n, 4)), '\n', toString(intDiv(n, 4)),
        '\n1767323045000\n', lower(hex(of_record)), '\n')),
    'valid', '', '', 1, 'structured', 'bench', event_id, 'modeltrail.prediction.recorded.v1',
    concat('p-', leftPad(toString(n), 8, '0')), toDateTime64('2026-01-02 03:04:05', 6, 'UTC'), 'bench', 'default',
    'permanent', now64(3)
FROM numbers({first:UInt64}, {count:UInt64})
