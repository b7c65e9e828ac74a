-- Typed rows of one chain outside of the positions 0..last, and the first of them.
SELECT count() AS rows, min(seq) AS first_seq
FROM $table FINAL
WHERE chain = {chain:String} AND (seq < 0 OR seq > {last:Int64})
