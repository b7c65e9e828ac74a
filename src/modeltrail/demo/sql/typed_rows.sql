-- Rows of the typed tables that the demo fills, each record once: a worker that takes over fills some of them again.
SELECT
    (SELECT count() FROM predictions FINAL) + (SELECT count() FROM outcomes FINAL)
    + (SELECT count() FROM classifications FINAL)
    + (SELECT count() FROM runs_started FINAL) + (SELECT count() FROM runs_items_skipped FINAL)
    + (SELECT count() FROM runs_completed FINAL)
    + (SELECT count() FROM models_registered FINAL) + (SELECT count() FROM baselines FINAL)
    + (SELECT count() FROM monitors FINAL) + (SELECT count() FROM monitors_advanced FINAL)
    + (SELECT count() FROM checks FINAL)
    + (SELECT count() FROM alerts_raised FINAL) + (SELECT count() FROM alerts_resolved FINAL)
