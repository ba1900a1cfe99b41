"""The exception that sends a question on to Alembic."""


class AskAlembic(Exception):
    """Alembic has to answer this, or has to say what is wrong with the question."""
