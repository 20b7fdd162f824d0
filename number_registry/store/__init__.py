"""PostgreSQL, where the truth lives: connections, migrations, named SQL; no decisions, no Redis."""
