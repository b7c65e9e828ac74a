-- What the checks of the watch add up to. A check that was published twice counts once, the first in watch order; of
-- the checks of a window only the one that no other supersedes is shown. Times are those of the windows, by event time.
-- Grouping comes before everything else, so that a condition on a model reaches the primary index.

CREATE VIEW latest_checks AS
SELECT
    tenant,
    model_id,
    check_id,
    first_check.model_version AS model_version,
    first_check.kind AS kind,
    first_check.monitor_id AS monitor_id,
    first_check.monitor_sha256 AS monitor_sha256,
    first_check.baseline_id AS baseline_id,
    first_check.baseline_sha256 AS baseline_sha256,
    first_check.window_start AS window_start,
    first_check.window_end AS window_end,
    first_check.window_index AS window_index,
    first_check.label_delay_s AS label_delay_s,
    first_check.status AS status,
    first_check.state AS state,
    first_check.rows AS rows,
    first_check.fields AS fields,
    first_check.new_features AS new_features,
    first_check.metrics AS metrics,
    first_check.gaps AS gaps,
    first_check.silence_condition AS silence_condition,
    first_check.alerts AS alerts,
    first_check.incomplete AS incomplete,
    first_check.closed_by AS closed_by,
    first_check.supersedes AS supersedes,
    first_check.error AS error,
    first_check.duration_ms AS duration_ms,
    first_check.log_time AS log_time,
    first_check.chain AS chain,
    first_check.seq AS seq
FROM
(
    SELECT
        tenant,
        model_id,
        check_id,
        argMin(tuple(
            CAST(model_version, 'Nullable(String)'), toString(kind), monitor_id, monitor_sha256, baseline_id, baseline_sha256, window_start,
            window_end, window_index, label_delay_s, toString(status), CAST(state, 'Nullable(String)'), rows, fields, new_features,
            metrics, gaps, CAST(silence_condition, 'Nullable(String)'), alerts, incomplete, CAST(closed_by, 'Nullable(String)'),
            supersedes, error, duration_ms, log_time, toString(chain), seq
        )::Tuple(
            model_version Nullable(String), kind String, monitor_id String, monitor_sha256 String, baseline_id Nullable(String),
            baseline_sha256 Nullable(String), window_start Nullable(DateTime64(6, 'UTC')), window_end Nullable(DateTime64(6, 'UTC')),
            window_index Nullable(Int64), label_delay_s Nullable(Int64), status String, state Nullable(String), rows Int64,
            fields Array(Tuple(name String, role String, kind String, segment_by Nullable(String), segment_value Nullable(String), state String, reason Nullable(String), n Int64, missing Int64, mistyped Int64, unseen Int64, counts Array(Int64), statistics Map(String, Float64), p_values Map(String, Float64), scale Nullable(Int64), tolerance Nullable(Float64), top Array(Tuple(bin String, reference Float64, current Float64)))),
            new_features Array(String),
            metrics Array(Tuple(metric String, segment_by Nullable(String), segment_value Nullable(String), state String, reason Nullable(String), value Nullable(Float64), n Int64, low Nullable(Float64), high Nullable(Float64), variance Nullable(Float64), reference Nullable(Float64), max_drop Nullable(Float64), threshold Nullable(Float64), p_value Nullable(Float64), coverage Nullable(Float64), scale Nullable(Int64))),
            gaps Array(Tuple(`by` String, metric String, state String, reason Nullable(String), value Nullable(Float64), n Int64, low Nullable(Float64), high Nullable(Float64), groups Array(Tuple(value String, n Int64, measured Nullable(Float64))), lowest Nullable(String), highest Nullable(String), reference Nullable(Float64), max_gap Nullable(Float64), p_value Nullable(Float64), scale Nullable(Int64))),
            silence_condition Nullable(String),
            alerts Array(Tuple(alert_id String, kind String, name Nullable(String), role Nullable(String), `by` Nullable(String), segment_by Nullable(String), segment_value Nullable(String), transition String)),
            incomplete Array(String), closed_by Nullable(String), supersedes Nullable(String), error Nullable(String),
            duration_ms Float64, log_time Int64, chain String, seq Int64),
            (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_check
    FROM checks FINAL
    GROUP BY tenant, model_id, check_id
)
WHERE (tenant, check_id) NOT IN (
    SELECT tenant, assumeNotNull(supersedes)
    FROM checks
    WHERE isNotNull(supersedes) AND supersedes != check_id)
COMMENT 'One row a check of a window: the newest result, with what was found';

CREATE VIEW drift_history AS
SELECT
    tenant,
    model_id,
    model_version,
    field.name AS name,
    field.role AS role,
    field.kind AS field_kind,
    field.segment_by AS segment_by,
    field.segment_value AS segment_value,
    window_start,
    window_end,
    window_index,
    field.state AS state,
    field.reason AS reason,
    field.n AS n,
    field.missing AS missing,
    field.mistyped AS mistyped,
    field.unseen AS unseen,
    field.counts AS counts,
    field.statistics AS statistics,
    field.p_values AS p_values,
    field.scale AS scale,
    field.tolerance AS tolerance,
    field.top AS top,
    status,
    monitor_id,
    baseline_id,
    baseline_sha256,
    check_id,
    log_time,
    chain,
    seq
FROM latest_checks
ARRAY JOIN fields AS field
COMMENT 'One row a window, field and segment: statistics and state, by the newest result of the window';

CREATE VIEW performance_history AS
SELECT
    tenant,
    model_id,
    model_version,
    figure.metric AS metric,
    figure.segment_by AS segment_by,
    figure.segment_value AS segment_value,
    window_start,
    window_end,
    window_index,
    figure.state AS state,
    figure.reason AS reason,
    figure.value AS value,
    figure.n AS n,
    figure.low AS low,
    figure.high AS high,
    figure.reference AS reference,
    figure.max_drop AS max_drop,
    figure.threshold AS threshold,
    figure.p_value AS p_value,
    figure.coverage AS coverage,
    figure.scale AS scale,
    status,
    monitor_id,
    baseline_id,
    baseline_sha256,
    check_id,
    log_time,
    chain,
    seq
FROM latest_checks
ARRAY JOIN metrics AS figure
COMMENT 'One row a window and metric: what came out against the truth, with its 95 % interval';

CREATE VIEW bias_history AS
SELECT
    tenant,
    model_id,
    model_version,
    gap.`by` AS `by`,
    gap.metric AS metric,
    window_start,
    window_end,
    window_index,
    gap.state AS state,
    gap.reason AS reason,
    gap.value AS value,
    gap.n AS n,
    gap.low AS low,
    gap.high AS high,
    gap.lowest AS lowest,
    gap.highest AS highest,
    gap.`groups` AS `groups`,
    gap.reference AS reference,
    gap.max_gap AS max_gap,
    gap.p_value AS p_value,
    gap.scale AS scale,
    status,
    monitor_id,
    baseline_id,
    baseline_sha256,
    check_id,
    log_time,
    chain,
    seq
FROM latest_checks
ARRAY JOIN gaps AS gap
COMMENT 'One row a window and gap between groups, with its 95 % interval';
