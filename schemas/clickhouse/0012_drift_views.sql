-- What the checks of the watch add up to. A check that was published twice counts once, the first in watch order; of
-- the checks of a window only the one that no other supersedes is shown. Times of windows are event times.
-- Counts of bins are large, so a view reads no column that is not asked for: what counts is found by its position.

CREATE VIEW latest_checks AS
SELECT
    tenant,
    model_id,
    model_version,
    check_id,
    kind,
    monitor_id,
    monitor_sha256,
    baseline_id,
    baseline_sha256,
    window_start,
    window_end,
    window_index,
    label_delay_s,
    status,
    state,
    rows,
    late_counted,
    too_late,
    fields,
    new_features,
    new_segments,
    metrics,
    gaps,
    silence_condition,
    alerts,
    incomplete,
    closed_by,
    supersedes,
    error,
    duration_ms,
    log_time,
    chain,
    seq
FROM checks FINAL
WHERE (toString(chain), seq) IN (
    SELECT argMin((toString(chain), seq), (log_time, toString(cluster), toString(topic), partition, -version, seq))
    FROM checks FINAL
    GROUP BY tenant, check_id)
AND (tenant, check_id) NOT IN (
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
    figure.reference_of AS reference_of,
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
COMMENT 'One row a window, metric and segment: what came out against the truth, with its 95 % interval';

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
