"""What the tests share: a PostgreSQL server, .ini files, histories, and the command itself."""
