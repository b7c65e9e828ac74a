SELECT name, path, free_space, total_space
FROM system.disks
WHERE total_space > 0
ORDER BY free_space
