-- What was chained and rejected, with the reason, in the order of the chains.
SELECT id, reason_class, reason, topic, partition, seq FROM ledger FINAL WHERE status = 'rejected' ORDER BY topic, partition, seq
