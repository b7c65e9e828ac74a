-- The outcomes of `window_predictions`, in the same chains behind them: later, and each as likely as its score says.
INSERT INTO ledger (chain, cluster, topic, partition, epoch, first_offset, seq, offset, timestamp, log_time, kind,
    gap_first, key, headers, value, record_hash, prev_hash, entry_hash, status, reason_class, reason, contract,
    mode, source, id, type, subject, time, actor, tenant, retentionclass, appended_at)
WITH
    number AS n,
    concat('p-', leftPad(toString(n), 8, '0')) AS prediction,
    intDiv({rows:UInt64} + n, 4) AS place,
    {first_ms:Int64} + {span_ms:Int64} + intDiv(n * {span_ms:Int64}, {rows:UInt64}) AS at,
    fromUnixTimestamp64Milli(at, 'UTC') AS moment,
    formatDateTime(moment, '%FT%H:%i:%SZ') AS moment_text,
    cityHash64(n, 'truth') / 18446744073709551616 < intDiv(cityHash64(n), 2048) / 9007199254740992 AS came_true,
    concat('{"specversion":"1.0","id":"o-', toString(n), '","source":"bench","type":"modeltrail.prediction.outcome.v1",',
        '"subject":"', prediction, '","time":"', moment_text, '","actor":"bench",',
        '"data":{"prediction_id":"', prediction, '","model_id":"delays","model_version":"1.0.0","observed_at":"',
        moment_text, '","label":"', if(came_true, 'late', 'on_time'), '"}}') AS text,
    SHA256(concat('6:delays,0:,', toString(length(text)), ':', text, ',')) AS of_record,
    SHA256(toString(n)) AS before,
    concat({cluster:String}, '/modeltrail.predictions/', toString(n % 4), '/0-0') AS name
SELECT
    name, {cluster:String}, 'modeltrail.predictions', n % 4, 0, 0, place, place, at, at, 'record',
    0, 'delays', [], text, of_record, before,
    SHA256(concat(before, 'modeltrail-entry/v1\n', name, '\n', toString(place), '\n', toString(place),
        '\n', toString(at), '\n', lower(hex(of_record)), '\n')),
    'valid', '', '', 1, 'structured', 'bench', concat('o-', toString(n)), 'modeltrail.prediction.outcome.v1',
    prediction, moment, 'bench', 'default', 'permanent', now64(3)
FROM numbers({first:UInt64}, {count:UInt64})
