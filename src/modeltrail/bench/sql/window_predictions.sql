-- Predictions of one large window, each with as many features as are wanted: three in four numbers, the others texts.
-- Each row's own hashes are right, and the rows are not linked. Entry n stands in partition n % 4.
INSERT INTO ledger (chain, cluster, topic, partition, epoch, first_offset, seq, offset, timestamp, log_time, kind,
    gap_first, key, headers, value, record_hash, prev_hash, entry_hash, status, reason_class, reason, contract,
    mode, source, id, type, subject, time, actor, tenant, retentionclass, appended_at)
WITH
    number AS n,
    concat('p-', leftPad(toString(n), 8, '0')) AS prediction,
    {first_ms:Int64} + intDiv(n * {span_ms:Int64}, {rows:UInt64}) AS at,
    fromUnixTimestamp64Milli(at, 'UTC') AS moment,
    intDiv(cityHash64(n), 2048) / 9007199254740992 AS score,
    arrayStringConcat(arrayMap(k -> concat('"f', leftPad(toString(k), 2, '0'), '":', if(k % 4 = 3,
        concat('"c', toString(cityHash64(n, k) % 12), '"'), toString((cityHash64(n, k) % 10000) / 100))),
        range({fields:UInt64})), ',') AS features,
    concat('{"specversion":"1.0","id":"e-', toString(n), '","source":"bench","type":"modeltrail.prediction.recorded.v1",',
        '"subject":"', prediction, '","time":"', formatDateTime(moment, '%FT%H:%i:%SZ'), '","actor":"bench",',
        '"data":{"prediction_id":"', prediction, '","item_id":"i-', toString(n), '","model_id":"delays",',
        '"model_version":"1.0.0","kind":"binary","score":', toString(score), ',"label":"',
        if(score > 0.5, 'late', 'on_time'), '","features":{', features, '}}}') AS text,
    SHA256(concat('6:delays,0:,', toString(length(text)), ':', text, ',')) AS of_record,
    SHA256(toString(n)) AS before,
    concat({cluster:String}, '/modeltrail.predictions/', toString(n % 4), '/0-0') AS name
SELECT
    name, {cluster:String}, 'modeltrail.predictions', n % 4, 0, 0, intDiv(n, 4), intDiv(n, 4), at, at, 'record',
    0, 'delays', [], text, of_record, before,
    SHA256(concat(before, 'modeltrail-entry/v1\n', name, '\n', toString(intDiv(n, 4)), '\n', toString(intDiv(n, 4)),
        '\n', toString(at), '\n', lower(hex(of_record)), '\n')),
    'valid', '', '', 1, 'structured', 'bench', concat('e-', toString(n)), 'modeltrail.prediction.recorded.v1',
    prediction, moment, 'bench', 'default', 'permanent', now64(3)
FROM numbers({first:UInt64}, {count:UInt64})
