-- Whether a typed table has a row of every valid entry of one type within ends of chains. Of a record in two epochs it
-- keeps one.
SELECT
    (
        SELECT uniqExact(cluster, topic, partition, offset, timestamp)
        FROM ledger
        WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
            AND status = 'valid' AND type = {type:String}
    ) = (
        SELECT uniqExact(cluster, topic, partition, offset, timestamp)
        FROM {table:Identifier}
        WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
    )
