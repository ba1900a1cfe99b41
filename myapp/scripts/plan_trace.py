"""What a revision did in a scratch database, as text and as a document."""

from collections.abc import Iterator
from typing import Any

import click

from ..migrator.base.traces import Touched, TracedStatement
from .durations import format_seconds

#: A line, or its coloured beginning and the rest.
Line = str | tuple[str, str]
_COLORS = {"dangerous": "red", "short": "yellow", "harmless": "green"}
_LONGEST = 70
_UNSEEN = "(sent past SQLAlchemy)"


def lines(traced: tuple[TracedStatement, ...]) -> Iterator[Line]:
    """Yield the statements that touched something, in order, and how many others there were."""
    told, again = set(), 0
    for each in traced:
        if not each.touched:
            continue
        same = (each.sql, each.line, each.touched)
        if each.judgement != "dangerous" and same in told:
            again += 1  # a loop over rows
            continue
        told.add(same)
        line = f" (line {each.line})" if each.line else ""
        style = f"  {click.style(each.judgement, fg=_COLORS[each.judgement])}"
        yield (style, f"{line}: {_short(each.sql)}")
        yield from (f"      {_touched(touched)}" for touched in each.touched)
        yield from (f"      {sentence}" for sentence in _sentences(each))
    if again:
        verb = "statement does" if again == 1 else "statements do"
        yield f"  {again} {verb} what one above does."
    others = sum(not each.touched for each in traced)
    if others:
        statements = "statement touches" if others == 1 else "statements touch"
        yield f"  {others} {statements} nothing that was there before."


def document(traced: tuple[TracedStatement, ...] | None) -> list[dict[str, Any]] | None:
    """Return the statements for the JSON document, None for no trace."""
    if traced is None:
        return None
    return [
        {
            "sql": each.sql or None,
            "line": each.line,
            "judgement": each.judgement,
            "transaction": each.transaction,
            "seconds": round(each.seconds, 6),
            "following": each.following,
            "waiting": each.waiting,
            "is_undone": each.is_undone,
            "may_have_missed": each.may_have_missed,
            "touched": [
                {
                    "name": touched.name,
                    "table": touched.table,
                    "is_index": touched.is_index,
                    "lock": touched.mode,
                    "is_new": touched.is_new,
                    "is_rewritten": touched.is_rewritten,
                    "is_scanned": touched.is_scanned,
                }
                for touched in each.touched
            ],
        }
        for each in traced
    ]


def _touched(touched: Touched) -> str:
    words = [touched.mode or "no lock seen"]
    if touched.mode and not touched.is_new:
        words.append("held already")
    if touched.is_rewritten:
        words.append("rewritten")
    elif touched.is_scanned:
        words.append("scanned")
    name = f"index {touched.name} of {touched.table}" if touched.is_index else touched.name
    return f"{name}: {', '.join(words)}"


def _sentences(each: TracedStatement) -> Iterator[str]:
    if each.waiting:
        until = "its end"
        if each.transaction is not None:
            count = each.following
            until = "a rollback to a savepoint" if each.is_undone else "the commit"
            until += f", {count} statement{'' if count == 1 else 's'} later" if count else ""
        yield f"{' and '.join(each.waiting)} wait until {until}."
        if each.seconds:  # SQLite's aren't measured
            yield f"The scratch database held the lock for {format_seconds(each.seconds)}."
    if each.may_have_missed:
        yield "Outside a transaction, a lock that it soon let go may have been missed."


def _short(sql: str) -> str:
    sql = " ".join(sql.split()) or _UNSEEN
    return sql if len(sql) <= _LONGEST else f"{sql[: _LONGEST - 3]}..."
