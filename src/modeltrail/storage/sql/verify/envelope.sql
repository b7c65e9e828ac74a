-- Status and envelope beside the records against what the records say: of a valid one every column of the envelope is
-- what its headers (binary mode) or the members of its document (structured mode) hold; of a rejected one all are empty.
-- No attribute can be the empty text, so that an empty one is one that is not there.
-- Whether a record was rightly accepted or rejected is not judged here: that takes the whole contract.
WITH
    'Tuple(
        source String,
        id String,
        type String,
        subject String,
        time String,
        actor String,
        tenant String,
        sequence String,
        traceparent String,
        correlationid String,
        causationid String,
        retentionclass String)' AS shape,
    name -> ifNull(arrayElement(headers.value, indexOf(headers.name, name)), '') AS header,
    if(mode = 'structured',
        JSONExtract(ifNull(value, ''), shape),
        CAST((
            header('ce_source'), header('ce_id'), header('ce_type'), header('ce_subject'), header('ce_time'), header('ce_actor'),
            header('ce_tenant'), header('ce_sequence'), header('ce_traceparent'), header('ce_correlationid'),
            header('ce_causationid'), header('ce_retentionclass')), shape)) AS said,
    status = 'valid' AND NOT (
        reason_class = '' AND mode IN ('binary', 'structured') AND id != ''
        AND source = said.source AND id = said.id AND type = said.type AND subject = said.subject
        AND ifNull(time = parseDateTime64BestEffortOrNull(said.time, 6, 'UTC'), 0) AND actor = said.actor
        AND tenant = if(said.tenant = '', 'default', said.tenant) AND sequence = said.sequence
        AND traceparent = said.traceparent AND correlationid = said.correlationid AND causationid = said.causationid
        AND retentionclass = if(said.retentionclass = '', 'permanent', said.retentionclass)) AS bad_valid,
    status = 'rejected' AND NOT (
        reason_class != '' AND mode IN ('', 'binary', 'structured') AND source = '' AND id = '' AND type = '' AND subject = ''
        AND isNull(time) AND actor = '' AND tenant = '' AND sequence = '' AND traceparent = '' AND correlationid = ''
        AND causationid = '' AND retentionclass = '') AS bad_rejected,
    bad_valid OR bad_rejected AS bad
SELECT
    chain,
    countIf(bad AND contract = {contract:UInt16}), minIf(seq, bad AND contract = {contract:UInt16}),
    countIf(bad AND contract >= 1 AND contract < {contract:UInt16}),
    minIf(seq, bad AND contract >= 1 AND contract < {contract:UInt16}),
    countIf(bad AND (contract < 1 OR contract > {contract:UInt16})),
    minIf(seq, bad AND (contract < 1 OR contract > {contract:UInt16}))
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64} AND kind = 'record'
    AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
    AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
GROUP BY chain
ORDER BY chain
