SELECT *
FROM $table FINAL
WHERE chain IN {chains:Array(String)}
    AND seq >= arrayElement({lows:Array(Int64)}, indexOf({chains:Array(String)}, chain))
    AND seq <= arrayElement({highs:Array(Int64)}, indexOf({chains:Array(String)}, chain))
