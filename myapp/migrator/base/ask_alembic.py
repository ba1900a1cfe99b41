"""The way out of everything that is done here without Alembic."""


class AskAlembic(Exception):
    """Only Alembic itself can answer this, or say what is wrong with the question."""
