-- The predictions of `content`, each with what turned out to be true: its latest outcome in watch order within the cut.
-- A repeat of an outcome of the same prediction counts where it stands first, so that an old one that is sent again
-- replaces no correction.
SELECT rows.*, isNotNull(truth.found) AS is_known, truth.found.1 AS truth_label, truth.found.2 AS truth_value
FROM ($rows) AS rows
LEFT JOIN
(
    SELECT prediction_id, argMax(first, place)::Nullable(Tuple(label Nullable(String), value Nullable(Float64))) AS found
    FROM
    (
        WITH
            'Tuple(prediction_id String, model_id String, model_version String, value Nullable(Float64), label Nullable(String))' AS shape,
            assumeNotNull(ledger.value) AS document,
            if(ledger.mode = 'structured', JSONExtract(document, 'data', shape), JSONExtract(document, shape)) AS data,
            transform(ledger.chain, {outcome_chains:Array(String)}, arrayMap(i -> toUInt32(i), range(length({outcome_chains:Array(String)}))), 0) AS rank
        SELECT
            data.prediction_id AS prediction_id,
            min((ledger.log_time, rank, ledger.seq)) AS place,
            argMin((data.label, data.value), (ledger.log_time, rank, ledger.seq)) AS first
        FROM ledger
        WHERE ledger.chain IN {outcome_chains:Array(String)} AND ledger.seq BETWEEN 0 AND {outcome_high:Int64}
            AND ledger.seq <= transform(ledger.chain, {outcome_chains:Array(String)}, {outcome_highs:Array(Int64)}, -1)
            AND ledger.log_time >= {outcome_since:Int64}
            AND ledger.status = 'valid' AND ledger.type = 'modeltrail.prediction.outcome.v1'
            AND data.model_id = {model_id:String} AND data.model_version = {model_version:String}
            AND data.prediction_id IN (SELECT prediction_id FROM ($rows))
        GROUP BY prediction_id, ledger.source, ledger.id
    )
    GROUP BY prediction_id
) AS truth ON rows.prediction_id = truth.prediction_id
