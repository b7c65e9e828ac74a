-- Position by position in a range of one chain: which typed rows are missing, differ, or stand for no entry.
-- A record that stands in an older chain too has its typed row there, so that its absence here is right.
SELECT
    countIf(is_missing), minIf(seq, is_missing), maxIf(seq, is_missing),
    countIf(is_differing), minIf(seq, is_differing),
    countIf(is_extra), minIf(seq, is_extra)
FROM
(
    SELECT
        seq,
        sum(expected) AS wanted,
        sum(1 - expected) AS stored,
        wanted > 0 AND stored = 0 AS is_missing,
        wanted > 0 AND stored > 0 AND (sumIf(hash, expected = 1) != sumIf(hash, expected = 0) OR wanted != stored) AS is_differing,
        wanted = 0 AND stored > 0 AS is_extra
    FROM
    (
        SELECT seq, 1 AS expected, $hash AS hash
        FROM ($rows)
        WHERE (offset, timestamp, record_hash) NOT IN
        (
            SELECT offset, timestamp, record_hash
            FROM ledger
            WHERE chain IN {older:Array(String)} AND status = 'valid' AND type = {type:String}
                AND offset >= (SELECT min(offset) FROM ledger WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64})
                AND offset <= (SELECT max(offset) FROM ledger WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64})
        )
        UNION ALL
        SELECT seq, 0 AS expected, $hash AS hash
        FROM ($stored)
    )
    GROUP BY seq
)
