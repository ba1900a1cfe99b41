"""The revision files, read as text: facts -> graph -> plan, without Alembic and in linear time."""
