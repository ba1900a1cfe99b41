"""All that leans on Alembic: its Config, its env.py, its scripts and its version table."""
