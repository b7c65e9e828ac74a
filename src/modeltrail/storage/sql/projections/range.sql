SELECT *
FROM ledger FINAL
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
