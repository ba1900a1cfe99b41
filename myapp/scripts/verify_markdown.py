"""What `verify` has found, as a comment for a pull request."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from ..migrator.base.plans import TableSize
from ..migrator.base.proofs import Verification
from ..migrator.base.traces import Touched
from .plan_answer import format_bytes
from .verify_output import allowed, short, summary
from .whole_files import write_whole


def write_markdown(path: Path, found: Verification) -> None:
    """Write a comment for a pull request."""
    write_whole(path, "\n".join(_markdown(found)).encode("utf-8", "backslashreplace"))


def _markdown(found: Verification) -> Iterator[str]:
    yield "### Migrations\n"
    yield f"{_cell(summary(found))}\n"
    yield "| step | result | what was looked at |\n|---|---|---|"
    for proof in found.proofs:
        about = proof.skipped or ". ".join(filter(None, (proof.about, *proof.notes)))
        yield f"| {proof.step} | {proof.state} | {_cell(about)} |"
    if any(proof.verdicts for proof in found.proofs):
        yield "\n| step | where | finding |\n|---|---|---|"
    for proof in found.proofs:
        for each in proof.verdicts:
            line = f":{each.line}" if each.line else ""
            told = each.message if each.allowed is None else f"{each.message} ({allowed(each)})"
            where = _cell(f"{short(each.path) or ''}{line}")
            yield f"| {proof.step} | {where} | {_cell(told)} |"
    for remedy in dict.fromkeys(
        each.remedy for proof in found.proofs for each in proof.refused if each.remedy
    ):
        yield _folded("The safe way", remedy)
    if found.new:
        yield f"\nNew since {_cell(found.since)}:\n\n| revision | message | file |\n|---|---|---|"
    for revision in found.new:
        named = (revision.revision, revision.message, str(short(revision.path)))
        yield f"| {' | '.join(map(_cell, named))} |"
    yield from _locks(found)
    for revision in found.new:
        if sent := found.sent.get(revision.revision):
            sql = "\n".join(f"{each.sql};" for each in sent)
            yield _folded(f"SQL of {revision.title}", sql)
    yield ""


def _locks(found: Verification) -> Iterator[str]:
    """Yield a table of what the new revisions lock of what is there before them."""
    rows = dict.fromkeys(_locked(found))  # a loop does the same many times
    if not rows:
        return
    if found.sizes is None:
        yield "\nThe sizes are not known: the database of the .ini file does not answer here."
    columns = ["revision", "line", "object", "lock", "what waits", "what is done"]
    columns += [] if found.sizes is None else ["size"]
    yield f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _locked(found: Verification) -> Iterator[tuple[str, ...]]:
    for revision in found.new:
        traced = found.traced.get(revision.revision)
        if traced is None:
            continue
        sizes = None if found.sizes is None else traced.sizes(found.sizes)
        for statement in traced.statements:
            for touched in statement.touched:
                yield (
                    revision.revision,
                    str(statement.line or ""),
                    touched.name,
                    touched.mode or "",
                    ", ".join(touched.waiting) or "nothing",
                    _done(touched),
                    *(() if sizes is None else (_size(sizes.get(touched.table)),)),
                )


def _done(touched: Touched) -> str:
    done = {"rewritten": touched.is_rewritten, "scanned": touched.is_scanned}
    return ", ".join(name for name, is_so in done.items() if is_so)


def _size(table: TableSize | None) -> str:
    if table is None:
        return "not there yet"
    size = "?" if table.bytes is None else format_bytes(table.bytes)
    return size if table.rows is None else f"{size}, about {table.rows:,} rows"


def _cell(text: str) -> str:
    """Return text for a cell of a table, in which nothing is Markdown or HTML."""
    # A colon before a blank begins neither an emoji nor a link.
    special = r"([\\`*_{}\[\]()#+!|~@-]|:(?=\S))"
    escaped = re.sub(special, r"\\\1", html.escape(text, quote=False))
    return "<br>".join(escaped.splitlines())


def _folded(title: str, code: str) -> str:
    """Return code that is shown when its title is clicked."""
    summary = f"<summary>{html.escape(title)}</summary>"
    return f"\n<details>{summary}\n\n<pre>{_block(code)}</pre>\n\n</details>"


def _block(sql: str) -> str:
    """Return SQL for `<pre>`, which an empty line would end."""
    return "\n".join(line or "&#32;" for line in html.escape(sql, quote=False).splitlines())
