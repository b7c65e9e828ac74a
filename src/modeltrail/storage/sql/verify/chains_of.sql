-- The chains of a partition.
SELECT chain
FROM ledger
WHERE topic = {topic:String} AND partition = {partition:UInt32}
GROUP BY chain
