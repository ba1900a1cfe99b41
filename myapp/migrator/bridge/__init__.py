"""All that depends on Alembic: its Config, env.py, its scripts and its version table."""
