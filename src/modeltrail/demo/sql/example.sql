-- An entry worth a look: a label that somebody corrected.
SELECT topic, partition, seq FROM ledger
WHERE topic LIKE '%.classifications' AND actor LIKE 'user:%'
ORDER BY chain, seq LIMIT 1
