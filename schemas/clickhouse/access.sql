-- Roles for a production server. Not a migration: an administrator runs it after `modeltrail migrate`, and again after
-- each upgrade; where the database is not called modeltrail, with its name in place of that one:
--
--     clickhouse-client --multiquery < access.sql
--
-- Then give the roles to users of your own: mt_writer and mt_projector to the ledger worker, mt_reader to dashboards,
-- mt_auditor to whoever verifies, to the drift worker and to whoever asks `modeltrail drift` (they read values), mt_migrator
-- to `modeltrail migrate` and `modeltrail rebuild`. For example:
--
--     CREATE USER ledger_worker IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE mt_writer, mt_projector;
--
-- Nobody here may UPDATE, DELETE, TRUNCATE or OPTIMIZE, has a right on SYSTEM or may use a table function; nobody but
-- the migrator may create, alter or drop. The materialized views run with the rights of the user who migrated
-- (ClickHouse's default, SQL SECURITY DEFINER), so that user has to stay. The other views run with the rights of
-- whoever asks: a reader sees the columns of the ledger that they need, and neither keys, headers nor values.

CREATE ROLE IF NOT EXISTS mt_writer;
CREATE ROLE IF NOT EXISTS mt_projector;
CREATE ROLE IF NOT EXISTS mt_reader;
CREATE ROLE IF NOT EXISTS mt_auditor;
CREATE ROLE IF NOT EXISTS mt_migrator;

-- The writer appends to the ledger and reads its heads back.
GRANT SELECT, INSERT ON modeltrail.ledger TO mt_writer;
GRANT SELECT ON modeltrail.schema_migrations TO mt_writer;

-- The projector fills typed tables again from the ledger, where a view had failed.
GRANT SELECT ON modeltrail.ledger TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.predictions TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.outcomes TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.classifications TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_started TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_health_checked TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_steps_failed TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_completed TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_items_processed TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_items_skipped TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.runs_rules_evaluated TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.actions TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.alerts_raised TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.alerts_resolved TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.alerts_acknowledged TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.models_registered TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.baselines TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.monitors TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.monitors_advanced TO mt_projector;
GRANT SELECT, INSERT ON modeltrail.checks TO mt_projector;

-- The reader queries views and typed tables.
GRANT SELECT ON modeltrail.schema_migrations TO mt_reader;
GRANT SELECT(
    chain, cluster, topic, partition, epoch, first_offset, seq, offset, timestamp, log_time, kind, gap_first, record_hash,
    prev_hash, entry_hash, status, reason_class, reason, contract, mode, source, id, type, subject, time, actor, tenant,
    sequence, traceparent, correlationid, causationid, retentionclass, appended_at) ON modeltrail.ledger TO mt_reader;
GRANT SELECT ON modeltrail.predictions TO mt_reader;
GRANT SELECT ON modeltrail.outcomes TO mt_reader;
GRANT SELECT ON modeltrail.classifications TO mt_reader;
GRANT SELECT ON modeltrail.runs_started TO mt_reader;
GRANT SELECT ON modeltrail.runs_health_checked TO mt_reader;
GRANT SELECT ON modeltrail.runs_steps_failed TO mt_reader;
GRANT SELECT ON modeltrail.runs_completed TO mt_reader;
GRANT SELECT ON modeltrail.runs_items_processed TO mt_reader;
GRANT SELECT ON modeltrail.runs_items_skipped TO mt_reader;
GRANT SELECT ON modeltrail.runs_rules_evaluated TO mt_reader;
GRANT SELECT ON modeltrail.actions TO mt_reader;
GRANT SELECT ON modeltrail.alerts_raised TO mt_reader;
GRANT SELECT ON modeltrail.alerts_resolved TO mt_reader;
GRANT SELECT ON modeltrail.alerts_acknowledged TO mt_reader;
GRANT SELECT ON modeltrail.models_registered TO mt_reader;
GRANT SELECT ON modeltrail.baselines TO mt_reader;
GRANT SELECT ON modeltrail.monitors TO mt_reader;
GRANT SELECT ON modeltrail.monitors_advanced TO mt_reader;
GRANT SELECT ON modeltrail.checks TO mt_reader;
GRANT SELECT ON modeltrail.events_feed TO mt_reader;
GRANT SELECT ON modeltrail.classifications_feed TO mt_reader;
GRANT SELECT ON modeltrail.runs_feed TO mt_reader;
GRANT SELECT ON modeltrail.actions_feed TO mt_reader;
GRANT SELECT ON modeltrail.alerts_feed TO mt_reader;
GRANT SELECT ON modeltrail.models_feed TO mt_reader;
GRANT SELECT ON modeltrail.checks_feed TO mt_reader;
GRANT SELECT ON modeltrail.chains TO mt_reader;
GRANT SELECT ON modeltrail.ingest_stats TO mt_reader;
GRANT SELECT ON modeltrail.rejections TO mt_reader;
GRANT SELECT ON modeltrail.duplicates TO mt_reader;
GRANT SELECT ON modeltrail.classification_history TO mt_reader;
GRANT SELECT ON modeltrail.current_classifications TO mt_reader;
GRANT SELECT ON modeltrail.run_summary TO mt_reader;
GRANT SELECT ON modeltrail.run_skips TO mt_reader;
GRANT SELECT ON modeltrail.rule_performance TO mt_reader;
GRANT SELECT ON modeltrail.stuck_runs TO mt_reader;
GRANT SELECT ON modeltrail.open_alerts TO mt_reader;
GRANT SELECT ON modeltrail.latest_checks TO mt_reader;
GRANT SELECT ON modeltrail.drift_history TO mt_reader;
GRANT SELECT ON modeltrail.performance_history TO mt_reader;
GRANT SELECT ON modeltrail.bias_history TO mt_reader;
GRANT SELECT ON modeltrail.resource_trail TO mt_reader;
GRANT SELECT ON modeltrail.actor_trail TO mt_reader;
CREATE SETTINGS PROFILE IF NOT EXISTS mt_reader
    SETTINGS readonly = 1, max_execution_time = 60 CHANGEABLE_IN_READONLY
    TO mt_reader;

-- The auditor reads everything, and what the server says about how it is kept.
GRANT SELECT ON modeltrail.* TO mt_auditor;
GRANT SELECT ON system.parts TO mt_auditor;
GRANT SELECT ON system.mutations TO mt_auditor;
GRANT SELECT ON system.tables TO mt_auditor;
GRANT SELECT ON system.columns TO mt_auditor;
GRANT SELECT ON system.disks TO mt_auditor;

-- The migrator makes and remakes the schema. A rebuild waits for inserts under way, so it has to see them.
GRANT SELECT, INSERT, SHOW, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW,
    ALTER COLUMN, ALTER INDEX, ALTER CONSTRAINT, ALTER SETTINGS, ALTER MODIFY COMMENT, ALTER VIEW
    ON modeltrail.* TO mt_migrator;
GRANT SELECT ON system.processes TO mt_migrator;
