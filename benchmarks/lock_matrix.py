"""Hold the trace to PostgreSQL's documentation: `python benchmarks/lock_matrix.py`.

Runs each operation of `lock_operations.py` on the tests' own PostgreSQL, and on that of the folder
in MYAPP_TEST_POSTGRESQL_BIN if one is named, and writes docs/locks.md. It ends with status 1 where
something else was seen than is expected.
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
_RELEASES = "https://www.postgresql.org/docs"
_HEAD = """\
# Locks

What each operation does to a table that is there, as `plan --trace` sees it: its lock, whether it
writes the table anew (`rewritten`), and if not, whether it reads all of it (`scanned`). An index is
told of where it is written anew, or where nothing of its table is locked.
`python benchmarks/lock_matrix.py` writes this page.

The column `documented` leads to the place in the current version's documentation: `yes` where it
states all of this; `not on` what it leaves open, which is then observed and not documented;
`otherwise` where it says something else, and PostgreSQL takes less. `seen`: that is what was seen.

"""


def observed(connection: Connection, operations: Iterable[Operation]) -> dict[str, str]:
    """Return what each operation does, on an empty database of `connection`."""
    connection.exec_driver_sql(SCHEMA)
    connection.commit()
    version = connection.dialect.server_version_info or (0,)
    known = [each for each in operations if each.since <= version[0]]
    locks = LockTrace(connection)
    try:
        return {each.sql: _seen(connection, locks, each) for each in known}
    finally:
        locks.close()
        connection.exec_driver_sql("DROP ROLE IF EXISTS matrix_owner")
        connection.commit()


def _seen(connection: Connection, locks: LockTrace, operation: Operation) -> str:
    driver = connection.connection.driver_connection
    cursor = driver.cursor()
    driver.rollback()
    if operation.is_alone:
        driver.autocommit = True
    try:
        before = relations_of(connection)
        if operation.is_alone:
            with locks.watching() as watched:
                cursor.execute(operation.sql)
            held = watched.held
        else:
            cursor.execute(operation.sql)
            held = locks.held()
        found = touched(before, before, relations_of(connection), {}, held)
        if operation.undo:
            cursor.execute(operation.undo)
    except driver.Error as error:
        return f"failed: {error}"
    finally:
        driver.rollback()
        driver.autocommit = False
    return told(found)


def told(found: Iterable[Touched]) -> str:
    """Return what happened, as `expected` of an Operation says it.

    An index is told of if it is written anew and its table is not, or if nothing of its table is
    locked. To make the indexes of a table anew, PostgreSQL reads its new file, so that a scan says
    nothing there.
    """
    found = list(found)
    rewritten = {each.name for each in found if each.is_rewritten}
    locked = {each.name for each in found if each.mode}
    said = []
    for each in found:
        is_told = not each.is_index or each.table not in locked
        is_told = is_told or (each.is_rewritten and each.table not in rewritten)
        words = [each.mode] if each.mode and is_told else []
        if each.is_rewritten and is_told:
            words.append("rewritten")
        if each.is_scanned and not each.is_rewritten:
            words.append("scanned")
        if words:
            said.append(f"{each.name}: {', '.join(words)}")
    return "; ".join(said)


def page(seen: Mapping[str, Mapping[str, str]]) -> str:
    """Return docs/locks.md; `seen` is what was observed, by the server's version."""
    versions = sorted(seen)
    names = " | ".join(f"PostgreSQL {version}" for version in versions)
    lines = [
        f"| operation | what it does | documented | {names} |",
        "|---|---|---|" + "---|" * len(versions),
    ]
    for each in OPERATIONS:
        cells = []
        for version in versions:
            found = seen[version].get(each.sql)
            cells.append("-" if found is None else "seen" if found == each.expected else found)
        sql, expected = each.sql.replace("|", r"\|"), each.expected or "nothing"
        lines.append(f"| `{sql}` | {expected} | {_documented(each)} | {' | '.join(cells)} |")
    return _HEAD + "\n".join(counts(seen)) + "\n\n" + "\n".join(lines) + "\n"


def counts(seen: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return how many operations are documented, and how many of them were seen to be so."""
    stated = [each for each in OPERATIONS if not each.silent and not each.instead]
    silent = sum(bool(each.silent) for each in OPERATIONS)
    otherwise = sum(bool(each.instead) for each in OPERATIONS)
    said = [
        f"{len(OPERATIONS)} operations. PostgreSQL's documentation states the lock, the rewrite and"
        f" the scan of {len(stated)}:"
    ]
    for version in sorted(seen):
        found = seen[version]
        known = [each for each in stated if each.sql in found]
        right = sum(found[each.sql] == each.expected for each in known)
        said.append(f"{right} of {len(known)} agree on PostgreSQL {version}.")
    said.append(f"It leaves a part of {silent} open, and says otherwise of {otherwise}.")
    return said


def _documented(operation: Operation) -> str:
    links = []
    for source in operation.sources:
        name, _, anchor = source.partition("#")
        if name.startswith("release/"):
            url = f"{_RELEASES}/{name}/"
        else:
            url = f"{_DOCS}/{name}.html{'#' if anchor else ''}{anchor}"
        links.append(f"[{(anchor or name).lower()}]({url})")
    said = "yes"
    if operation.silent:
        said = f"not on `{operation.silent}`"
    if operation.instead:
        said = f"otherwise, `{operation.instead}`"
    return f"{said}: {', '.join(links)}"


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
        f"{version}: {each.sql}\n    expected: {each.expected}\n    seen:     {found[each.sql]}"
        for version, found in sorted(seen.items())
        for each in OPERATIONS
        if found.get(each.sql, each.expected) != each.expected
    ]
    print("\n".join([*wrong, *counts(seen)]))
    return bool(wrong)


if __name__ == "__main__":
    if "--observe" in sys.argv:
        _observe()
    else:
        sys.exit(main())
