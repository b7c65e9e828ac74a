-- The valid events of one type in chains of `models` in which a member has this value, in watch order.
SELECT mode, assumeNotNull(value) AS document
FROM ledger
WHERE chain IN {chains:Array(String)} AND type = {type:String} AND status = 'valid'
    AND if(mode = 'structured', JSONExtractString(document, 'data', {member:String}), JSONExtractString(document, {member:String})) = {text:String}
ORDER BY log_time, cluster, topic, partition, epoch, first_offset, seq
