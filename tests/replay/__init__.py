"""Replays Alembic's own tests of its commands through this one: `python tests/replay`."""
