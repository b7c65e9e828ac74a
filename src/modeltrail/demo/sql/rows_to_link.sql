-- The entries from a position on, as far as their hashes depend on them.
SELECT seq, offset, timestamp, record_hash, prev_hash, key, headers.name, headers.value, value
FROM copy.ledger WHERE seq >= {seq:Int64} ORDER BY chain, seq
