SELECT min(offset) AS first_offset, max(offset) AS last_offset
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
