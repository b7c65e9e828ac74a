-- The first chain whose name begins with `prefix` and sorts after `after`: one step of a walk over the names of
-- the chains of a partition, each answered from the primary index.
SELECT chain
FROM ledger
WHERE chain > {after:String} AND startsWith(chain, {prefix:String})
ORDER BY chain
LIMIT 1
