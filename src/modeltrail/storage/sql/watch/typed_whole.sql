-- Whether a typed table has a row of every valid entry of one type in the last part of chains, behind `lows` and up to
-- `ends`. Of a record in two epochs it keeps one.
SELECT
    (
        SELECT uniqExact(cluster, topic, partition, offset, timestamp)
        FROM ledger
        WHERE chain IN {chains:Array(String)} AND seq > {low:Int64}
            AND seq > transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, -1)
            AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
            AND status = 'valid' AND type = {type:String}
    ) = (
        SELECT uniqExact(cluster, topic, partition, offset, timestamp)
        FROM {table:Identifier}
        WHERE chain IN {chains:Array(String)} AND seq > {low:Int64}
            AND seq > transform(chain, {chains:Array(String)}, {lows:Array(Int64)}, -1)
            AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    )
