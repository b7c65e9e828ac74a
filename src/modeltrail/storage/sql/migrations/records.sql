SELECT number, statement, state, min(name) AS file, groupUniqArray(sha256) AS hashes, min(applied_at) AS since, argMin(`by`, applied_at) AS who
FROM schema_migrations
GROUP BY number, statement, state
ORDER BY number, statement, state
