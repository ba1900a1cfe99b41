"""What is known of databases and their drivers, without Alembic."""
