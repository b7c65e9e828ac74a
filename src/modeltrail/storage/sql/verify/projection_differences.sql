-- Position by position in a range of one chain: which typed rows are missing, differ, or stand for no entry.
-- A record that stands in an older chain too has its typed row there; here one may be, until it is merged away.
SELECT
    countIf(is_missing), minIf(seq, is_missing), maxIf(seq, is_missing),
    countIf(is_differing), minIf(seq, is_differing),
    countIf(is_extra), minIf(seq, is_extra)
FROM
(
    SELECT
        seq,
        countIf(side = 'view') AS wanted,
        countIf(side = 'table') AS stored,
        countIf(side = 'view' AND is_older) AS optional,
        wanted > 0 AND stored = 0 AND optional = 0 AS is_missing,
        wanted > 0 AND stored > 0
            AND (wanted != stored OR sumIf(hash, side = 'view') != sumIf(hash, side = 'table')) AS is_differing,
        wanted = 0 AND stored > 0 AS is_extra
    FROM
    (
        SELECT
            'view' AS side,
            seq,
            $hash AS hash,
            (offset, timestamp, record_hash) IN
            (
                SELECT offset, timestamp, record_hash
                FROM ledger
                WHERE startsWith(chain, {prefix:String}) AND (epoch, first_offset) < ({epoch:UInt32}, {first_offset:Int64})
                    AND status = 'valid' AND type = {type:String}
                    AND offset >= (SELECT min(offset) FROM ledger WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64})
                    AND offset <= (SELECT max(offset) FROM ledger WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64})
            ) AS is_older
        FROM ($rows)
        UNION ALL
        SELECT 'table' AS side, seq, $hash AS hash, 0 AS is_older
        FROM ($stored)
    )
    GROUP BY seq
)
