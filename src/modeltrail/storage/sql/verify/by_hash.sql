-- Where an entry with this hash stands.
SELECT DISTINCT chain, seq
FROM ledger
WHERE entry_hash = unhex({hash:String})
