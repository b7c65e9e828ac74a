-- Predictions as they stand in chains, within ends of these. A typed table has a record that stands in two epochs where
-- it stands first, or in both; so from the ledger come the places of records in the `later` of several epochs, as far
-- as an earlier one reaches: `from_offsets` to `to_offsets`.
SELECT chain, seq, log_time, time, model_id, model_version
FROM predictions
WHERE chain IN {chains:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
UNION ALL
SELECT l.chain AS chain, l.seq AS seq, l.log_time AS log_time, p.time AS time, p.model_id AS model_id, p.model_version AS model_version
FROM
(
    SELECT chain, seq, log_time, cluster, topic, partition, offset, timestamp, record_hash
    FROM ledger
    WHERE chain IN {later:Array(String)} AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
        AND offset >= transform(chain, {later:Array(String)}, {from_offsets:Array(Int64)}, 0)
        AND offset <= transform(chain, {later:Array(String)}, {to_offsets:Array(Int64)}, -1)
        AND status = 'valid' AND type = 'modeltrail.prediction.recorded.v1'
) AS l
INNER JOIN
(
    SELECT cluster, topic, partition, offset, timestamp, record_hash, time, model_id, model_version
    FROM predictions
    WHERE notEmpty({later:Array(String)}) AND chain IN {chains:Array(String)}
) AS p USING (cluster, topic, partition, offset, timestamp, record_hash)
