-- The valid events in a range of one chain that change what is watched, whole. Identical rows count once.
WITH assumeNotNull(ledger.value) AS document
SELECT
    ledger.seq AS seq,
    ledger.log_time AS log_time,
    ledger.type AS type,
    ledger.mode AS mode,
    document AS value
FROM ledger
WHERE ledger.chain = {chain:String} AND ledger.seq BETWEEN {first:Int64} AND {last:Int64} AND ledger.status = 'valid'
    AND (ledger.type IN ('modeltrail.baseline.registered.v1', 'modeltrail.monitor.configured.v1', 'modeltrail.monitor.advanced.v1')
        OR (ledger.type = 'modeltrail.check.completed.v1'
            AND if(ledger.mode = 'structured', JSONExtractString(document, 'data', 'kind'), JSONExtractString(document, 'kind')) = 'tick'))
ORDER BY ledger.chain, ledger.seq
LIMIT 1 BY ledger.seq
