-- How far each chain has come.
SELECT topic, partition, epoch, first_offset, max(seq) + 1 AS entries, max(offset) + 1 AS next_offset
FROM ledger
GROUP BY topic, partition, epoch, first_offset
