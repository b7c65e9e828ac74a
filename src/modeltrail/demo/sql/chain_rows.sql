-- One chain, as it stands.
SELECT * FROM ledger FINAL WHERE chain = {chain:String} ORDER BY chain, seq
