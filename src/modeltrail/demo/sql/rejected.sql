-- What was chained and rejected, with the reason, in the order of the chains.
SELECT key, reason_class, reason, topic, partition, seq
FROM ledger FINAL
WHERE status = 'rejected'
ORDER BY chain, seq
