-- The event types that have valid entries among the given positions.
SELECT DISTINCT type
FROM ledger
WHERE chain IN {chains:Array(String)} AND seq BETWEEN {low:Int64} AND {high:Int64} AND status = 'valid'
