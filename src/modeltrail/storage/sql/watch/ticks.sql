-- The ticks within ends of chains. One that was published twice counts where it stands first, and does no harm twice.
SELECT chain, seq, log_time, model_id
FROM checks
WHERE kind = 'tick' AND chain IN {chains:Array(String)}
    AND seq <= transform(chain, {chains:Array(String)}, {ends:Array(Int64)}, -1)
ORDER BY chain, seq
LIMIT 1 BY chain, seq
