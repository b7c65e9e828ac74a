-- Records that the contract refuses, chained since {since:Int64} (milliseconds since 1970; it spares older partitions),
-- by topic and class, the most frequent first, each with its most frequent reason. A record that was read again in a
-- later epoch counts once.
SELECT
    toString(topic) AS family,
    toString(reason_class) AS class,
    uniqExact((cluster, partition, offset, timestamp, record_hash)) AS records,
    topK(1)(reason)[1] AS most_frequent
FROM ledger
WHERE status = 'rejected' AND appended_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY family, class
ORDER BY records DESC, family, class
