SELECT version() AS version, currentUser() AS user
