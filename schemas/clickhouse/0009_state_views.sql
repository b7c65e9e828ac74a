-- What the events add up to. States are folds in the watch order: (log_time, cluster, topic, partition, epoch,
-- first_offset, seq), numbers as numbers; minus version stands for epoch and first offset together. The time that an
-- event states is shown and never decides. Of events that repeat source and id, the first in this order counts.
-- Grouping comes before everything else, so that a condition on an item or a run reaches the primary index.

CREATE VIEW classification_history AS
SELECT
    tenant,
    item_id,
    step.1 AS step_number,
    if(step_number = 1, NULL, events[step_number - 1].label) AS label_before,
    step.2.label AS label,
    ifNull(label != label_before, true) AS changed,
    step.2.origin AS origin,
    step.2.confidence AS confidence,
    step.2.method AS method,
    step.2.model_id AS model_id,
    step.2.model_version AS model_version,
    step.2.actor AS actor,
    step.2.reason AS reason,
    step.2.previous_label AS stated_previous_label,
    step.2.time AS time,
    step.2.log_time AS log_time,
    step.2.source AS source,
    step.2.id AS id,
    step.2.chain AS chain,
    step.2.seq AS seq
FROM
(
    SELECT
        tenant,
        item_id,
        arraySort(event -> event.watch_order, groupArray(event)) AS events
    FROM
    (
        SELECT
            tenant,
            item_id,
            source,
            id,
            argMin(tuple(
                (log_time, toString(cluster), toString(topic), partition, -version, seq),
                toString(label), toString(origin), confidence, CAST(method, 'Nullable(String)'),
                CAST(model_id, 'Nullable(String)'), CAST(model_version, 'Nullable(String)'), toString(actor), reason,
                CAST(previous_label, 'Nullable(String)'), time, log_time, toString(source), id, toString(chain), seq
            )::Tuple(
                watch_order Tuple(Int64, String, String, UInt32, Int128, Int64),
                label String, origin String, confidence Nullable(Float64), method Nullable(String),
                model_id Nullable(String), model_version Nullable(String), actor String, reason Nullable(String),
                previous_label Nullable(String), time DateTime64(6, 'UTC'), log_time Int64, source String, id String,
                chain String, seq Int64),
                (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS event
        FROM classifications FINAL
        GROUP BY tenant, item_id, source, id
    )
    GROUP BY tenant, item_id
)
ARRAY JOIN arrayZip(arrayEnumerate(events), events) AS step
COMMENT 'Every classification of an item in order, with the label before it';

CREATE VIEW current_classifications AS
SELECT
    tenant,
    item_id,
    argMax(history.label, step_number) AS label,
    argMax(tuple(history.confidence), step_number).1 AS confidence,
    argMax(history.origin, step_number) AS origin,
    argMax(history.actor, step_number) AS actor,
    argMax(tuple(history.reason), step_number).1 AS reason,
    argMinIf(tuple(CAST(history.label, 'Nullable(String)')), step_number, history.origin = 'model').1 AS original_model_label,
    argMaxIf(tuple(CAST(history.label, 'Nullable(String)')), step_number, history.origin = 'model').1 AS latest_model_label,
    origin IN ('user', 'admin') AND ifNull(label != latest_model_label, false) AS overridden,
    countIf(history.changed AND step_number > 1) AS changes,
    count() AS classifications,
    argMax(history.time, step_number) AS time,
    argMax(history.log_time, step_number) AS log_time,
    argMax(history.chain, step_number) AS chain,
    argMax(history.seq, step_number) AS seq
FROM classification_history AS history
GROUP BY tenant, item_id
COMMENT 'The label that each item carries, who gave it, and what the model had said';

CREATE VIEW run_summary AS
SELECT
    runs.tenant AS tenant,
    runs.run_id AS run_id,
    multiIf(completions.events > 0, completion.status, starts.events > 0, 'running', 'unknown') AS status,
    start.engine_name AS engine_name,
    start.mode AS mode,
    start.trigger AS trigger,
    start.input_name AS input_name,
    start.actor AS started_by,
    start.time AS started_at,
    completion.time AS completed_at,
    dateDiff('millisecond', started_at, completed_at) / 1000 AS duration_s,
    start.expected_duration_s AS expected_duration_s,
    completion.processed AS processed,
    completion.with_predictions AS with_predictions,
    completion.skipped AS skipped,
    completion.predictions AS predictions,
    completion.rules_evaluated AS rules_evaluated,
    completion.rules_matched AS rules_matched,
    completion.error AS error,
    items.events AS items_processed_seen,
    items.predictions AS predictions_seen,
    skips.events AS items_skipped_seen,
    rules.events AS rules_evaluated_seen,
    rules.triggered AS rules_matched_seen,
    failures.events AS steps_failed,
    failures.halted > 0 AS halted,
    checks.refused AS health_checks_refused,
    start.log_time AS started_log_time,
    completion.log_time AS completed_log_time
FROM
(
    SELECT tenant, run_id FROM runs_started
    UNION DISTINCT
    SELECT tenant, run_id FROM runs_completed
) AS runs
LEFT JOIN
(
    SELECT
        tenant,
        run_id,
        count() AS events,
        CAST(argMin(
            tuple(`engine`, mode, trigger, input_name, actor, time, expected_duration_s, log_time),
            (log_time, toString(cluster), toString(topic), partition, -version, seq)),
            'Tuple(engine_name Nullable(String), mode Nullable(String), trigger Nullable(String), input_name Nullable(String), actor Nullable(String), time Nullable(DateTime64(6, \'UTC\')), expected_duration_s Nullable(Float64), log_time Nullable(Int64))') AS start
    FROM runs_started FINAL
    GROUP BY tenant, run_id
) AS starts ON starts.tenant = runs.tenant AND starts.run_id = runs.run_id
LEFT JOIN
(
    SELECT
        tenant,
        run_id,
        count() AS events,
        CAST(argMax(first_event, first_order),
            'Tuple(status Nullable(String), time Nullable(DateTime64(6, \'UTC\')), log_time Nullable(Int64), error Nullable(String), processed Nullable(Int64), with_predictions Nullable(Int64), skipped Nullable(Int64), predictions Nullable(Int64), rules_evaluated Nullable(Int64), rules_matched Nullable(Int64))') AS completion
    FROM
    (
        SELECT
            tenant,
            run_id,
            argMin(
                tuple(status, time, log_time, error, processed, with_predictions, skipped, predictions, rules_evaluated, rules_matched),
                (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_event,
            min((log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_order
        FROM runs_completed FINAL
        GROUP BY tenant, run_id, source, id
    )
    GROUP BY tenant, run_id
) AS completions ON completions.tenant = runs.tenant AND completions.run_id = runs.run_id
LEFT JOIN
(
    SELECT tenant, run_id, count() AS events, sum(predictions_of_first) AS predictions
    FROM
    (
        SELECT tenant, run_id, argMin(predictions, (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS predictions_of_first
        FROM runs_items_processed FINAL
        GROUP BY tenant, run_id, source, id
    )
    GROUP BY tenant, run_id
) AS items ON items.tenant = runs.tenant AND items.run_id = runs.run_id
LEFT JOIN
(
    SELECT tenant, run_id, uniqExact((source, id)) AS events
    FROM runs_items_skipped FINAL
    GROUP BY tenant, run_id
) AS skips ON skips.tenant = runs.tenant AND skips.run_id = runs.run_id
LEFT JOIN
(
    SELECT tenant, run_id, count() AS events, countIf(first_triggered) AS triggered
    FROM
    (
        SELECT tenant, run_id, argMin(triggered, (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_triggered
        FROM runs_rules_evaluated FINAL
        GROUP BY tenant, run_id, source, id
    )
    GROUP BY tenant, run_id
) AS rules ON rules.tenant = runs.tenant AND rules.run_id = runs.run_id
LEFT JOIN
(
    SELECT tenant, run_id, count() AS events, countIf(first_halted) AS halted
    FROM
    (
        SELECT tenant, run_id, argMin(halted, (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_halted
        FROM runs_steps_failed FINAL
        GROUP BY tenant, run_id, source, id
    )
    GROUP BY tenant, run_id
) AS failures ON failures.tenant = runs.tenant AND failures.run_id = runs.run_id
LEFT JOIN
(
    SELECT tenant, run_id, countIf(NOT first_allowed) AS refused
    FROM
    (
        SELECT tenant, run_id, argMin(allowed, (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_allowed
        FROM runs_health_checked FINAL
        GROUP BY tenant, run_id, source, id
    )
    GROUP BY tenant, run_id
) AS checks ON checks.tenant = runs.tenant AND checks.run_id = runs.run_id
COMMENT 'One row a run: how it began and ended, what it states, and what was seen of it';

CREATE VIEW run_skips AS
SELECT
    tenant,
    run_id,
    first_event.1 AS category,
    count() AS skips,
    uniqExact(first_event.2) AS items,
    arraySort(groupUniqArray(5)(first_event.3)) AS some_reasons
FROM
(
    SELECT
        tenant,
        run_id,
        argMin(
            tuple(toString(category), item_id, reason),
            (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_event
    FROM runs_items_skipped FINAL
    GROUP BY tenant, run_id, source, id
)
GROUP BY tenant, run_id, category
COMMENT 'What each run left out, by category';

CREATE VIEW rule_performance AS
SELECT
    tenant,
    first_event.1 AS rule_id,
    argMax(first_event.2, first_order) AS rule_code,
    count() AS evaluations,
    countIf(first_event.3) AS triggered,
    triggered / evaluations AS trigger_rate,
    avgIf(first_event.4, first_event.3) AS mean_confidence_when_triggered,
    avg(first_event.5) AS mean_duration_ms,
    uniqExact(run_id) AS runs,
    max(first_event.6) AS last_log_time
FROM
(
    SELECT
        tenant,
        run_id,
        argMin(
            tuple(toString(rule_id), toString(rule_code), triggered, confidence, duration_ms, log_time),
            (log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_event,
        min((log_time, toString(cluster), toString(topic), partition, -version, seq)) AS first_order
    FROM runs_rules_evaluated FINAL
    GROUP BY tenant, run_id, source, id
)
GROUP BY tenant, rule_id
COMMENT 'How often each rule was evaluated and matched, over all runs';

CREATE VIEW stuck_runs AS
SELECT
    tenant,
    run_id,
    engine_name,
    mode,
    started_by,
    started_at,
    expected_duration_s,
    fromUnixTimestamp64Milli(assumeNotNull(started_log_time), 'UTC') AS logged_at,
    dateDiff('millisecond', logged_at, {now:DateTime64(3, 'UTC')}) / 1000 AS running_s
FROM run_summary
WHERE status = 'running' AND running_s > ifNull(expected_duration_s, 0) + {grace_s:Float64}
COMMENT 'Runs that at the given time are later than expected by more than a grace in seconds, by the clock of the log: stuck_runs(now = ..., grace_s = ...)';

CREATE VIEW open_alerts AS
SELECT
    raised.tenant AS tenant,
    raised.alert_id AS alert_id,
    raised.worst.1 AS kind,
    raised.worst.2 AS severity,
    raised.worst.3 AS alert_subject,
    raised.worst.4 AS message,
    raised.opened_at AS opened_at,
    raised.worst.5 AS evidence,
    nullIf(JSONExtractString(raised.worst.5, 'model_version'), '') AS model_version,
    nullIf(JSONExtractString(raised.worst.5, 'monitor', 'id'), '') AS monitor_id,
    raised.first_log_time AS log_time,
    acknowledged.who IS NOT NULL AS acknowledged,
    acknowledged.who AS acknowledged_by,
    acknowledged.at AS acknowledged_at,
    acknowledged.note AS acknowledgement
FROM
(
    SELECT
        tenant,
        alert_id,
        argMin(
            tuple(toString(kind), toString(severity), alert_subject, message, evidence),
            (-indexOf(['info', 'warning', 'critical'], severity), log_time, toString(cluster), toString(topic), partition, -version, seq)) AS worst,
        argMin(tuple(opened_at), (log_time, toString(cluster), toString(topic), partition, -version, seq)).1 AS opened_at,
        min(log_time) AS first_log_time
    FROM alerts_raised FINAL
    GROUP BY tenant, alert_id
) AS raised
LEFT JOIN
(
    SELECT
        tenant,
        alert_id,
        CAST(argMax(
            tuple(toString(`by`), time, note),
            (log_time, toString(cluster), toString(topic), partition, -version, seq)),
            'Tuple(who Nullable(String), at Nullable(DateTime64(6, \'UTC\')), note Nullable(String))') AS latest,
        latest.who AS who,
        latest.at AS at,
        latest.note AS note
    FROM alerts_acknowledged FINAL
    GROUP BY tenant, alert_id
) AS acknowledged ON acknowledged.tenant = raised.tenant AND acknowledged.alert_id = raised.alert_id
WHERE (raised.tenant, raised.alert_id) NOT IN (SELECT tenant, alert_id FROM alerts_resolved)
    AND (raised.tenant, raised.alert_id) NOT IN (
        SELECT tenant, assumeNotNull(supersedes)
        FROM alerts_raised
        WHERE isNotNull(supersedes) AND supersedes != alert_id)
COMMENT 'Conditions that were raised and neither resolved nor superseded, as severe as they became, and who takes care of them';
