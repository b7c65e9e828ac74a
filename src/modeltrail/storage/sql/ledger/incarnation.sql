-- Seconds since the server was started, and which table is the ledger: another one may be put in its place.
SELECT
    uptime(),
    (SELECT uuid FROM system.tables WHERE database = currentDatabase() AND name = 'ledger')
