-- How many chains there are.
SELECT uniqExact(chain) FROM ledger
