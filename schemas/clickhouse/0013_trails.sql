-- Who did what, and what was done to a thing: one row a record, of every type. Repeats of source and id are shown,
-- and listed in duplicates. Order by log_time, cluster, topic, partition, -version, seq for the watch order.

CREATE VIEW resource_trail AS
SELECT
    toString(resource_type) AS resource_type,
    resource_id AS resource_id,
    tenant,
    toString(actor) AS actor,
    toString(action) AS what,
    data AS detail,
    time,
    log_time,
    toString(source) AS source,
    id,
    toString(cluster) AS cluster,
    toString(topic) AS topic,
    partition,
    version,
    toString(chain) AS chain,
    seq
FROM actions FINAL
UNION ALL
SELECT 'item', item_id, tenant, toString(actor), 'classification.recorded', toString(label),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM classifications FINAL
UNION ALL
SELECT 'item', item_id, tenant, toString(actor), 'prediction.recorded', coalesce(toString(label), toString(value), toString(score), ''),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM predictions FINAL
UNION ALL
SELECT 'prediction', prediction_id, tenant, toString(actor), 'prediction.outcome', coalesce(toString(label), toString(value), ''),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM outcomes FINAL
UNION ALL
SELECT 'run', run_id, tenant, toString(actor), 'run.started', toString(mode),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_started FINAL
UNION ALL
SELECT 'run', run_id, tenant, toString(actor), 'run.health_checked', if(allowed, 'allowed', 'refused'),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_health_checked FINAL
UNION ALL
SELECT 'run', run_id, tenant, toString(actor), 'run.failed_step', message,
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_steps_failed FINAL
UNION ALL
SELECT 'run', run_id, tenant, toString(actor), 'run.completed', toString(status),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_completed FINAL
UNION ALL
SELECT 'item', item_id, tenant, toString(actor), 'run.item_processed', ifNull(toString(best), ''),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_items_processed FINAL
UNION ALL
SELECT 'item', item_id, tenant, toString(actor), 'run.item_skipped', reason,
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_items_skipped FINAL
UNION ALL
SELECT 'item', item_id, tenant, toString(actor), 'run.rule_evaluated', concat(toString(rule_code), if(triggered, ' matched', ' did not match')),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM runs_rules_evaluated FINAL
UNION ALL
SELECT 'alert', alert_id, tenant, toString(actor), 'alert.raised', message,
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM alerts_raised FINAL
UNION ALL
SELECT 'alert', alert_id, tenant, toString(actor), 'alert.resolved', message,
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM alerts_resolved FINAL
UNION ALL
SELECT 'alert', alert_id, tenant, toString(actor), 'alert.acknowledged', ifNull(note, ''),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM alerts_acknowledged FINAL
UNION ALL
SELECT 'model', model_id, tenant, toString(actor), 'model.registered', toString(model_version),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM models_registered FINAL
UNION ALL
SELECT 'model', model_id, tenant, toString(actor), 'baseline.registered', baseline_id,
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM baselines FINAL
UNION ALL
SELECT 'model', model_id, tenant, toString(actor), 'monitor.configured', concat(monitor_id, if(enabled, '', ' disabled')),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM monitors FINAL
UNION ALL
SELECT 'model', model_id, tenant, toString(actor), 'monitor.advanced', concat('through ', toString(through)),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM monitors_advanced FINAL
UNION ALL
SELECT 'model', model_id, tenant, toString(actor), 'check.completed', concat(toString(kind), ' ', toString(status), if(isNull(state), '', concat(' ', assumeNotNull(toString(state))))),
    time, log_time, toString(source), id, toString(cluster), toString(topic), partition, version, toString(chain), seq
FROM checks FINAL
COMMENT 'What was done to a resource: an item, a prediction, a run, an alert, a model, or what an action names';

CREATE VIEW actor_trail AS
SELECT
    actor,
    tenant,
    what,
    resource_type,
    resource_id,
    detail,
    time,
    log_time,
    source,
    id,
    cluster,
    topic,
    partition,
    version,
    chain,
    seq
FROM resource_trail
COMMENT 'What an actor did';
