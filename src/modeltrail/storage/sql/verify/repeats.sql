-- Positions with more than one row: is it the same row again (a repeat), or another one (a fork)?
-- The reason text is not compared: no hash covers it. Another contract may judge the same record differently.
SELECT
    chain,
    countIf(entries > 1), minIf(seq, entries > 1),
    countIf(entries = 1 AND readings > contracts), minIf(seq, entries = 1 AND readings > contracts),
    countIf(entries = 1 AND contracts > 1), minIf(seq, entries = 1 AND contracts > 1)
FROM
(
    SELECT
        chain,
        seq,
        uniqExact(entry_hash) AS entries,
        uniqExact(contract) AS contracts,
        uniqExact(tuple(contract, status, reason_class, mode, source, id, type, subject, time, actor, tenant, sequence,
            traceparent, correlationid, causationid, retentionclass)) AS readings
    FROM ledger
    WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64} AND (chain, seq) IN
    (
        SELECT chain, seq
        FROM ledger
        WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
            AND seq >= transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, 0)
            AND seq <= transform(chain, {chains:Array(String)}, {highs:Array(Int64)}, -1)
        GROUP BY chain, seq
        HAVING count() > 1
    )
    GROUP BY chain, seq
)
GROUP BY chain
ORDER BY chain
