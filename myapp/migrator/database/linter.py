"""Ask the linter Squawk about the SQL of one revision, where it is installed.

Squawk is the optional extra `lint` (https://squawkhq.com/docs/rules). It knows PostgreSQL only.
"""

import json
import os
import shutil
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ..base.results import Direction
from ..base.sent import Sent
from ..base.verdicts import Level, Verdict
from ..revisions.allowances import allowances_of, judged
from ..revisions.causes import remedy

#: The rule of a note that the linter itself has failed.
FAILED = "linter-failed"
_SECONDS = 30
#: The rules by which the application waits long, or running code breaks, or the revision fails.
_ERRORS = {
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-required-field",
    "adding-serial-primary-key-field",
    "ban-alter-domain-with-add-constraint",
    "ban-concurrent-index-creation-in-transaction",
    "ban-drop-column",
    "ban-drop-database",
    "ban-drop-table",
    "ban-truncate-cascade",
    "ban-uncommitted-transaction",
    "changing-column-type",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "prefer-repack",
    "renaming-column",
    "renaming-table",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "require-concurrent-partition-detach",
    "require-concurrent-reindex",
    "transaction-nesting",
}
_LEFT_OUT = {
    # These are a matter of taste, or of a new column's type: nothing waits for them.
    "ban-char-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "prefer-timestamptz",
    # A revision that fails is rolled back, or told of: no statement has to bear a second run.
    "prefer-robust-stmts",
    # A run sets `lock_timeout` for each statement by itself, from `migrate.lock_timeout`.
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
}
#: A downgrade takes away what the upgrade has made. `downgrade` tells what goes.
_NOT_DOWNWARDS = {"ban-drop-column", "ban-drop-table"}


def installed_linter() -> str | None:
    """Return the path of Squawk, None where it isn't installed.

    It is looked for beside Python first: the folder of a virtual environment may not be on PATH.
    """
    beside = os.path.dirname(sys.executable)
    return shutil.which("squawk", path=beside) or shutil.which("squawk")


def lint(
    program: str,
    statements: Sequence[Sent],
    *,
    direction: Direction = "upgrade",
    pg_version: str | None = None,
) -> tuple[Verdict, ...]:
    """Return what Squawk, at the path `program`, finds in the statements of one revision.

    `pg_version` is the server's, as `15.4`. A file `.squawk.toml` of the working directory counts.
    When Squawk fails, the answer is a note.
    """
    left = list(statements)
    unread: list[Verdict] = []
    while left:
        try:
            found = _found(program, left, pg_version)
        except _LinterFailed as error:
            return (*unread, Verdict(FAILED, "note", f"Squawk has failed: {error}."))
        # Where it can't read one statement, it judges none.
        bad = {each["at"] for each in found if each["rule_name"] == "syntax-error"}
        if not bad:
            verdicts = (_verdict(each, left[each["at"]], direction) for each in found)
            return (*unread, *dict.fromkeys(filter(None, verdicts)))
        unread += [_unread(each) for at, each in enumerate(left) if at in bad]
        left = [each for at, each in enumerate(left) if at not in bad]
    return tuple(unread)


def findings(
    program: str | None,
    revision: str,
    path: str,
    statements: Sequence[Sent],
    *,
    direction: Direction = "upgrade",
    pg_version: str | None = None,
) -> tuple[Verdict, ...]:
    """Return what Squawk finds in the revision of the file `path`, and what its comments allow.

    Without a `program`, the answer is about the comments alone.
    """
    given: dict[str, Any] = {"direction": direction, "pg_version": pg_version}
    found = lint(program, statements, **given) if program else ()
    judgements = judged(found, allowances_of(path))
    return tuple(each._replace(revision=revision, path=path) for each in judgements)


class _LinterFailed(Exception):
    """Squawk could not be run, or its answer not be read."""


def _found(
    program: str, statements: Sequence[Sent], pg_version: str | None
) -> list[dict[str, Any]]:
    """Return what Squawk finds, as it says it; `at` is the number of the statement, from 0."""
    text, starts = _script(statements)
    version = ["--pg-version", pg_version] if pg_version else []
    try:
        done = subprocess.run(  # noqa: S603 - the program is Squawk, and gets the SQL as its input
            [program, "--reporter", "json", *version],
            input=text,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
        )
    except OSError as error:
        raise _LinterFailed(f"{program} can't be run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise _LinterFailed(f"it did not end within {_SECONDS} seconds") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr or done.stdout).strip().partition("\n")[0].rstrip(".")
        raise _LinterFailed(said or f"it ended with status {done.returncode}") from None
    return [each | {"at": max(bisect_right(starts, each["line"]) - 1, 0)} for each in found]


def _script(statements: Sequence[Sent]) -> tuple[str, list[int]]:
    """Return the script, with its transactions, and the line at which each statement begins."""
    lines = 0
    starts: list[int] = []
    parts: list[str] = []
    is_open = False
    for each in statements:
        if each.is_transactional != is_open:
            parts.append("COMMIT;\n" if is_open else "BEGIN;\n")
            is_open, lines = not is_open, lines + 1
        starts.append(lines)
        # It may end in a comment. One of Squawk's own would allow what it finds without a reason.
        parts.append(each.sql.replace("squawk-ignore", "squawk_ignore") + "\n;\n")
        lines += parts[-1].count("\n")
    return "".join([*parts, "COMMIT;\n" if is_open else ""]), starts


def _verdict(found: dict[str, Any], statement: Sent, direction: Direction) -> Verdict | None:
    rule = found["rule_name"]
    if rule in _LEFT_OUT or (direction == "downgrade" and rule in _NOT_DOWNWARDS):
        return None
    message = " ".join(filter(None, [found["message"], found["help"]]))
    level, sql = _level(rule), statement.sql
    way = remedy(rule, sql) if level == "error" else ""
    return Verdict(rule, level, message, line=statement.line, sql=sql, remedy=way)


def _level(rule: str) -> Level:
    return "error" if rule in _ERRORS else "warning"


def _unread(statement: Sent) -> Verdict:
    message = "Squawk can't read this statement, and has not judged it."
    return Verdict(FAILED, "note", message, line=statement.line, sql=statement.sql)
