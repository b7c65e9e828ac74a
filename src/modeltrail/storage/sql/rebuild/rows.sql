SELECT count() AS rows
FROM {table:Identifier} FINAL
