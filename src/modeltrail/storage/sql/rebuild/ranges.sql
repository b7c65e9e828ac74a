-- Ranges of chains in which a typed table does not hold exactly the entries that it should, by count and checksum.
SELECT chain, range, expected, first, last
FROM
(
    SELECT
        toString(chain) AS chain,
        intDiv(seq, {range:Int64}) AS range,
        count() AS expected,
        groupBitXor(sipHash64(seq, entry_hash)) AS checksum,
        min(seq) AS first,
        max(seq) AS last
    FROM ledger FINAL
    WHERE status = 'valid' AND type = {type:String}
    GROUP BY chain, range
) AS wanted
LEFT JOIN
(
    SELECT
        toString(chain) AS chain,
        intDiv(seq, {range:Int64}) AS range,
        count() AS present,
        groupBitXor(sipHash64(seq, entry_hash)) AS checksum
    FROM {table:Identifier} FINAL
    GROUP BY chain, range
) AS found ON found.chain = wanted.chain AND found.range = wanted.range
WHERE found.present != wanted.expected OR found.checksum != wanted.checksum
ORDER BY chain, range
