SELECT DISTINCT type
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64} AND status = 'valid'
