"""Judge what was seen in a scratch database, by the sizes of the live tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..base.plans import TableSize
from ..base.traces import WHOLE_FILE, Judgement, TracedRevision, TracedStatement
from ..base.verdicts import Level, Verdict
from . import row_ways, safe_ways
from .causes import BREAKING, apart, breaking, causes, why_none
from .ddl import Change, changes, plain

#: A table of fewer rows and fewer bytes is small: it is gone through in a few milliseconds.
SMALL_ROWS = 10_000
SMALL_BYTES = 10_000_000


def judged(
    traced: TracedRevision, sizes: Mapping[str, TableSize] | None
) -> tuple[tuple[TracedStatement, ...], tuple[Verdict, ...]]:
    """Return the statements with their judgements, and the verdicts on them.

    `sizes` are those of the live tables, by their titles. A table whose size isn't known, and each
    where `sizes` is None, counts as not small.
    """
    statements, verdicts = [], []
    judge = _Judge(traced, sizes)
    for at, statement in enumerate(traced.statements):
        found = list(judge.verdicts(at, statement))
        judgement: Judgement = "short" if statement.waiting else "harmless"
        if any(each.level == "error" for each in found):
            judgement = "dangerous"
        statements.append(replace(statement, judgement=judgement))
        verdicts += found
    return tuple(statements), tuple(verdicts)


class _Judge:
    def __init__(self, traced: TracedRevision, sizes: Mapping[str, TableSize] | None) -> None:
        self._traced = traced
        self._sizes = sizes
        self._changes = [changes(each.sql) for each in traced.statements]

    def verdicts(self, at: int, statement: TracedStatement) -> Iterator[Verdict]:
        found = self._changes[at]
        yield from self._work(statement, found)
        if _is_sqlite(statement):
            return  # a batch operation drops and renames tables of its own
        yield from self._breaking(at, statement, found)
        yield from self._rows(statement, found)
        yield from self._several(at, statement)

    def _is_small(self, table: str) -> bool:
        size = (self._sizes or {}).get(table)
        if size is None:
            return False
        # An empty table that was never analysed has bytes only.
        is_few = size.rows is None or size.rows < SMALL_ROWS
        return is_few and size.bytes is not None and size.bytes < SMALL_BYTES

    def _verdict(
        self,
        statement: TracedStatement,
        rule: str,
        message: str,
        ways: Sequence[str] = (),
        level: Level = "error",
    ) -> Verdict:
        revision = self._traced.revision
        sql, line = statement.sql, statement.line
        remedy = safe_ways.as_text(ways)
        return Verdict(rule, level, message, revision.revision, revision.path, line, sql, remedy)

    def _work(self, statement: TracedStatement, found: list[Change]) -> Iterator[Verdict]:
        """Judge what is gone through, or written anew, while others wait."""
        hit = [
            each
            for each in statement.touched
            if (each.is_scanned or each.is_rewritten)
            and statement.waiting
            and not self._is_small(each.table)
        ]
        tables = sorted({each.table for each in hit if self._waiting(statement, each.table)})
        is_concurrent = any(each.get("concurrently") for each in found)
        # A change of rows only goes through them; what it holds up is another verdict. The new file
        # of TRUNCATE is empty.
        is_of_rows = any(each.kind in ("update", "delete") for each in found)
        if (
            not tables
            or is_of_rows
            or is_concurrent
            or statement.sql[:9].strip().upper() == "TRUNCATE"
        ):
            return
        waiting = sorted({kind for t in tables for kind in self._waiting(statement, t)})
        does = "written anew" if any(each.is_rewritten for each in hit) else "read whole"
        message = (
            f"{_listed(tables)} {'is' if len(tables) == 1 else 'are'} {does} while"
            f" {' and '.join(reversed(waiting))} wait."
        )
        works = causes(found)
        for rule, ways in works:
            said = message if ways else f"{message} {why_none(statement.sql)}"
            yield self._verdict(statement, rule, said, ways)
        if not works:
            rule = "rewrite-under-lock" if does == "written anew" else "scan-under-lock"
            is_validation = any(each.kind == "validate" for each in found)
            ways = safe_ways.alone([statement.sql]) if is_validation else []
            level: Level = "error"
            if _is_sqlite(statement):
                message, level = f"{message} SQLite has no other way.", "warning"
            elif not ways:
                message = f"{message} {why_none(statement.sql)}"
            yield self._verdict(statement, rule, message, ways, level)

    def _waiting(self, statement: TracedStatement, table: str) -> set[str]:
        """Return who waits for any lock on the table, or on one of its indexes."""
        return {w for each in statement.touched if each.table == table for w in each.waiting}

    def _breaking(
        self, at: int, statement: TracedStatement, found: list[Change]
    ) -> Iterator[Verdict]:
        if self._traced.direction == "downgrade":
            return  # what goes on the way back came with the code that goes, too
        there = {each.table for each in statement.touched}
        for change in found:
            if change.kind not in BREAKING or not there or self._is_replaced(at, change):
                continue
            rule, ways = breaking(change, statement.column_type)
            name = plain(change.table)
            if column := change.name("column"):
                name = f"{name}.{column}"
            yield self._verdict(statement, rule, f"{name}: {BREAKING[change.kind][1]}.", ways)

    def _is_replaced(self, at: int, change: Change) -> bool:
        """Whether the same revision puts something in the place of what goes, or did before."""
        before = [each for one in self._changes[: at + 1] for each in one]
        later = [each for one in self._changes[at:] for each in one]
        if change.kind == "rename_table":
            return any(e.kind == "create_view" and e.table == change.table for e in later)
        if change.kind == "rename_column":
            new = change.name("new")
            return any(
                each.kind == "drop_column"
                and (each.table, each.name("column")) == (change.table, new)
                for each in before
            )
        if change.kind == "drop_column":
            column = change.name("column")
            return any(
                each.kind == "rename_column"
                and (each.table, each.name("new")) == (change.table, column)
                for each in later
            )
        return False

    def _rows(self, statement: TracedStatement, found: list[Change]) -> Iterator[Verdict]:
        """Judge a change of all rows in the transaction of a statement that others wait for."""
        for change in found:
            if change.kind not in ("update", "delete") or statement.transaction is None:
                continue
            scanned = [each.table for each in statement.touched if each.is_scanned]
            large = [table for table in scanned if not self._is_small(table)]
            blocking = [
                each
                for each in self._traced.statements
                if each.transaction == statement.transaction and each.waiting
            ]
            if large and blocking:
                ways = row_ways.rows(change, statement.parameters)
                why = "" if ways else f" {why_none(statement.sql)}"
                yield self._verdict(
                    statement,
                    "rows-changed-under-lock",
                    f"{large[0]} is changed as a whole in the transaction of"
                    f" `{_short(blocking[0].sql)}`, whose lock is held until the commit.{why}",
                    ways,
                )

    def _several(self, at: int, statement: TracedStatement) -> Iterator[Verdict]:
        """Judge an ACCESS EXCLUSIVE lock on one more table, while the first is still locked."""
        if statement.transaction is None:
            return
        mine = _exclusive(statement)
        before = [
            each
            for each in self._traced.statements[:at]
            if each.transaction == statement.transaction
        ]
        earlier = {table for each in before for table in _exclusive(each)}
        more = mine - earlier
        if not more or not earlier or all(map(self._is_small, more | earlier)):
            return
        sql = [each.sql for each in (*before, statement) if each.sql and _exclusive(each)]
        yield self._verdict(
            statement,
            "several-tables-locked",
            f"{_listed(sorted(more))} is locked while {_listed(sorted(earlier))} still is, until"
            " the commit. Sessions that use them in another order end in a deadlock.",
            apart(sql),
        )


def _is_sqlite(statement: TracedStatement) -> bool:
    return any(each.mode == WHOLE_FILE for each in statement.touched)


def _exclusive(statement: TracedStatement) -> set[str]:
    return {
        each.table for each in statement.touched if each.is_new and each.mode == "ACCESS EXCLUSIVE"
    }


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _short(sql: str) -> str:
    sql = " ".join(sql.split())
    return sql if len(sql) <= 60 else f"{sql[:57]}..."
