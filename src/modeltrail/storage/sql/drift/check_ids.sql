-- Checks whose id begins with these digits.
SELECT DISTINCT check_id
FROM checks
WHERE startsWith(check_id, {id:String})
ORDER BY check_id
LIMIT 3
