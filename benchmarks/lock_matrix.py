"""Hold the trace to PostgreSQL's documentation: `python benchmarks/lock_matrix.py`.

Runs each operation of `lock_operations.py` on the tests' own PostgreSQL, and on that of the folder in
MYAPP_TEST_POSTGRESQL_BIN if one is named, and writes docs/locks.md. It ends with status 1 where what
was seen is not what the documentation says.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection, create_engine

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests"), str(PROJECT / "benchmarks")]

from lock_operations import OPERATIONS, SCHEMA, Operation  # noqa: E402
from support.postgresql import create_database, start_server  # noqa: E402

from myapp.migrator.base.traces import Touched  # noqa: E402
from myapp.migrator.database.lock_trace import (  # noqa: E402
    LockTrace,
    relations_of,
    touched,
)

GIVEN = "MYAPP_TEST_POSTGRESQL_BIN"
PAGE = PROJECT / "docs" / "locks.md"
_DOCS = "https://www.postgresql.org/docs/current"
_HEAD = """\
# Locks

What each operation does to a table that is there, as `plan --trace` sees it: its lock, whether it
writes the table anew (`rewritten`), and whether it reads all of it (`scanned`). `as documented` was
seen as PostgreSQL's page says. `python benchmarks/lock_matrix.py` writes this page.

"""


def observed(connection: Connection, operations: Iterable[Operation]) -> dict[str, str]:
    """Return what each operation does, on an empty database of `connection`."""
    connection.exec_driver_sql(SCHEMA)
    connection.commit()
    locks = LockTrace(connection)
    try:
        return {each.sql: _seen(connection, locks, each) for each in operations}
    finally:
        locks.close()
        connection.exec_driver_sql("DROP ROLE IF EXISTS matrix_owner")
        connection.commit()


def _seen(connection: Connection, locks: LockTrace, operation: Operation) -> str:
    there = relations_of(connection)
    if not operation.is_alone:
        connection.rollback()
        before = relations_of(connection)
        try:
            connection.exec_driver_sql(operation.sql)
            found = touched(there, before, relations_of(connection), {}, locks.held())
        finally:
            connection.rollback()
        return told(found)
    connection.rollback()
    driver = connection.connection.driver_connection
    driver.autocommit = True
    try:
        with locks.watching() as held:
            connection.connection.cursor().execute(operation.sql)
        found = touched(there, there, relations_of(connection), {}, held)
        if operation.undo:
            connection.connection.cursor().execute(operation.undo)
    finally:
        driver.autocommit = False
    return told(found)


def told(found: Iterable[Touched]) -> str:
    """Return what happened, as `expected` of an Operation says it.

    An index is told of if it is written anew, and its table is not.
    """
    found = list(found)
    rewritten = {each.name for each in found if each.is_rewritten}
    said = []
    for each in found:
        words = [] if each.mode is None or each.is_index else [each.mode]
        if each.is_rewritten and not (each.is_index and each.table in rewritten):
            words.append("rewritten")
        if each.is_scanned:
            words.append("scanned")
        if words:
            said.append(f"{each.name}: {', '.join(words)}")
    return "; ".join(said)


def page(seen: Mapping[str, Mapping[str, str]]) -> str:
    """Return docs/locks.md; `seen` is what was observed, by the server's version."""
    versions = sorted(seen)
    lines = [
        f"| operation | documented | {' | '.join(f'PostgreSQL {v}' for v in versions)} | page |",
        "|---|---|" + "---|" * (len(versions) + 1),
    ]
    right = dict.fromkeys(versions, 0)
    for each in OPERATIONS:
        cells = []
        for version in versions:
            is_right = seen[version][each.sql] == each.expected
            right[version] += is_right
            cells.append("as documented" if is_right else seen[version][each.sql] or "nothing")
        link = f"[{each.page}]({_DOCS}/{each.page}.html)"
        sql, expected = each.sql.replace("|", r"\|"), each.expected or "nothing"
        lines.append(f"| `{sql}` | {expected} | {' | '.join(cells)} | {link} |")
    counts = " and ".join(f"{right[v]} on PostgreSQL {v}" for v in versions)
    head = f"{len(OPERATIONS)} operations, of which {counts} are as documented.\n\n"
    return _HEAD + head + "\n".join(lines) + "\n"


def _observe() -> None:
    with start_server() as admin, create_database(admin) as url:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
        with engine.connect() as connection:
            version = str(connection.dialect.server_version_info[0])
            json.dump({version: observed(connection, OPERATIONS)}, sys.stdout)
        engine.dispose()


def main() -> int:
    """Observe on each server, and write the page."""
    given = os.environ.get(GIVEN)
    seen: dict[str, dict[str, str]] = {}
    for programs in dict.fromkeys([None, given]):
        env = {key: value for key, value in os.environ.items() if key != GIVEN}
        env |= {GIVEN: programs} if programs else {}
        command = [sys.executable, __file__, "--observe"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
        seen |= json.loads(done.stdout)
    PAGE.write_text(page(seen))
    wrong = [
        f"{version}: {each.sql}\n    documented: {each.expected}\n    seen:       {found[each.sql]}"
        for version, found in sorted(seen.items())
        for each in OPERATIONS
        if found[each.sql] != each.expected
    ]
    print(*wrong, sep="\n")
    print(f"{len(OPERATIONS)} operations on {len(seen)} servers, {len(wrong)} not as documented")
    return bool(wrong)


if __name__ == "__main__":
    if "--observe" in sys.argv:
        _observe()
    else:
        sys.exit(main())
