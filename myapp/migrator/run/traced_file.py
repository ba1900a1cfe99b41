"""What a statement does to an SQLite file, whose locks can't be looked at."""

from ..base.traces import WHOLE_FILE, Touched, TracedStatement
from ..revisions.ddl import copied_by


def on_sqlite(statement: str, line: int) -> TracedStatement:
    """Return the record of a statement: a writer locks the file, and a batch copies a table."""
    copied = copied_by(statement)
    name, is_copied = copied or "the file", bool(copied)
    hit = Touched(name, name, WHOLE_FILE, True, False, is_copied, is_copied)
    is_read = statement.lstrip()[:6].upper() in ("SELECT", "PRAGMA")
    return TracedStatement(statement, line, 1, () if is_read else (hit,))
