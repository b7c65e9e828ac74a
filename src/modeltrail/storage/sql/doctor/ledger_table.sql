SELECT engine, create_table_query, formatQuerySingleLine({shipped:String}) AS shipped
FROM system.tables
WHERE database = currentDatabase() AND name = 'ledger'
