"""What is told of a database at a revision that no file has."""

#: What to do about it, after `Hint:`.
HINT = (
    "deploy that version, or downgrade with it first. If the file is gone, bring it back, or type"
    " `{cmd} stamp --purge REVISION` for the revision that the database is like."
)


def message(revision: str, table: str = "alembic_version") -> str:
    """Return the message for a database that stands at `revision`."""
    return f"{cause(revision)} The version table {table} says so."


def cause(revision: str) -> str:
    """Return the message without the name of the version table."""
    return (
        f"The database stands at {revision}, which this code does not have: a newer version or"
        " another branch of it has migrated this database, or the revision's file was deleted or"
        " squashed."
    )
