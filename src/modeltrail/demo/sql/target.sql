-- A prediction in the second half of a chain that says "late": what somebody might want to have said otherwise.
SELECT seq, id, subject FROM ledger
WHERE chain = {chain:String} AND seq >= {from:Int64} AND type = {type:String} AND position(value, '"label":"late"') > 0
ORDER BY chain, seq LIMIT 1
