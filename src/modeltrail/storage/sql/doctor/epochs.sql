-- Epochs that were opened since {since:Int64} (milliseconds since 1970), by severity
SELECT severity, count() AS epochs
FROM alerts_raised FINAL
WHERE kind = 'epoch_opened' AND timestamp >= {since:Int64}
GROUP BY severity
ORDER BY severity
