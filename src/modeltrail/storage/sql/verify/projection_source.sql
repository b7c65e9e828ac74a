SELECT *
FROM ledger FINAL
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64}
    AND seq >= arrayElement({lows:Array(Int64)}, indexOf({chains:Array(String)}, chain))
    AND seq <= arrayElement({highs:Array(Int64)}, indexOf({chains:Array(String)}, chain))
