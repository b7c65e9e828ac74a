-- Seconds since the server was started.
SELECT uptime()
