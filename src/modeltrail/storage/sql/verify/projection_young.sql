-- How many entries of a range were appended so recently that their insert may still be under way.
SELECT count()
FROM ledger
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64}
    AND appended_at > now64(3) - toIntervalSecond({seconds:UInt32})
