-- The chain with one changed entry and every later one linked again.
INSERT INTO ledger SELECT * REPLACE (
    if(seq = {seq:Int64}, unhex({value:String}), value) AS value,
    if(seq = {seq:Int64}, toFixedString(unhex({record_hash:String}), 32), record_hash) AS record_hash,
    if(seq >= {seq:Int64}, joinGet({links:String}, 'prev_hash', seq), prev_hash) AS prev_hash,
    if(seq >= {seq:Int64}, joinGet({links:String}, 'entry_hash', seq), entry_hash) AS entry_hash)
FROM copy.ledger
