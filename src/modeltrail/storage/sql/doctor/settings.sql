SELECT name, value FROM system.settings WHERE name IN ('async_insert', 'readonly')
