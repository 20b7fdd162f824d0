"""Publishing, the snapshot and the daemon, on a PostgreSQL and Redis of their own."""
