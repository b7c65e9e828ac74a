SELECT *
FROM ledger FINAL
WHERE chain = {chain:String} AND seq BETWEEN {first:Int64} AND {last:Int64} AND status = 'valid' AND type = {type:String}
    AND (offset, timestamp, record_hash) NOT IN (
        SELECT offset, timestamp, record_hash
        FROM {table:Identifier}
        WHERE cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32}
            AND version >= {version:Int128} AND offset BETWEEN {first_offset:Int64} AND {last_offset:Int64})
