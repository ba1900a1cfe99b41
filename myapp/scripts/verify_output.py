"""What `verify` has found: as text, JSON, JUnit's XML, GitHub's annotations and Markdown."""

import html
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..migrator.base.errors import UsageError
from ..migrator.base.proofs import Proof, Verification
from ..migrator.base.verdicts import Verdict
from .whole_files import write_whole


class VerifyAnswer:
    """The answer of `verify`."""

    def __init__(self, found: Verification) -> None:
        self.found = found
        self.exit_code = found.exit_code

    def document(self) -> dict[str, Any]:
        """Return the fields of the JSON document."""
        found = self.found
        return {
            "exit_code": found.exit_code,
            "revisions": found.revisions,
            "since": found.since or None,
            "new": [each.revision for each in found.new],
            "proofs": [_document(each) for each in found.proofs],
        }

    def lines(self) -> list[str]:
        """Return the lines of the answer in text."""
        lines: list[str] = []
        for proof in self.found.proofs:
            for each in proof.verdicts:
                lines += _lines(proof.step, each)
            lines += [f"{proof.step}: {note}" for note in proof.notes]
        return [*lines, summary(self.found)]


def summary(found: Verification) -> str:
    """Return what was proven, in one sentence."""
    counted = f"{found.revisions} revision{'' if found.revisions == 1 else 's'}"
    states = [each.state for each in found.proofs]
    if failed := [each.step for each in found.proofs if each.state == "failed"]:
        return f"Not proven: {', '.join(failed)} failed, for {counted}."
    skipped = [each.step for each in found.proofs if each.skipped]
    left = f" Skipped: {', '.join(skipped)}." if skipped else ""
    passed = [each.step for each in found.proofs if each.state == "passed"]
    return f"Proven for {counted}: {', '.join(passed)}.{left}" if "passed" in states else left


def without_secrets(found: Verification, redact: Callable[[str], str]) -> Verification:
    """Return the same without secrets in what revisions, libraries and databases have said."""
    proofs = tuple(
        proof._replace(
            verdicts=tuple(
                each._replace(message=redact(each.message), sql=redact(each.sql))
                for each in proof.verdicts
            ),
            notes=tuple(map(redact, proof.notes)),
        )
        for proof in found.proofs
    )
    sent = {
        id_: tuple(each._replace(sql=redact(each.sql)) for each in all_sent)
        for id_, all_sent in found.sent.items()
    }
    return replace(found, proofs=proofs, sent=sent)


def annotations(found: Verification) -> Iterator[str]:
    """Yield what GitHub shows beside the lines of a pull request.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions has the form, and
    actions/toolkit's `core/src/command.ts` what is escaped.
    """
    levels = {"error": "error", "warning": "warning", "note": "notice"}
    for proof in found.proofs:
        for each in proof.verdicts:
            level = "notice" if each.allowed is not None else levels[each.level]
            properties = {"file": _short(each.path), "line": each.line, "title": _rule(proof, each)}
            told = ",".join(
                f"{name}={_escaped(str(value), ':,')}"
                for name, value in properties.items()
                if value
            )
            yield f"::{level} {told}::{_escaped(each.message)}"


def require_junitparser() -> None:
    """Raise UsageError where the library that writes the report is not installed."""
    try:
        import junitparser  # noqa: F401 - whether it is there
    except ImportError:
        raise UsageError(
            "`--junit` needs the library junitparser, which is not installed.",
            hint="run `pip install junitparser`.",
        ) from None


def write_junit(path: Path, found: Verification) -> None:
    """Write a test case for each step, under the same name in every run: a CI's history needs it.

    One that failed has a single failure, with all findings: some services read no second one.
    """
    from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite("verify")
    for proof in found.proofs:
        case = TestCase(proof.step, proof.step, proof.seconds)
        if told := [_legal(_placed(each)) for each in proof.refused]:
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            failure = Failure(f"{told[0]}{more}", proof.refused[0].rule)
            failure.text = "\n\n".join(told)
            case.result = [failure]
        elif proof.skipped:
            case.result = [Skipped(_legal(proof.skipped))]
        suite.add_testcase(case)
    xml: Any = JUnitXml()
    xml.add_testsuite(suite)
    write_whole(path, xml.tostring())


def _placed(verdict: Verdict) -> str:
    place = f"{_short(verdict.path)}:{verdict.line}: " if verdict.path else ""
    return f"{place}{verdict.message}"


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
            told = each.message if each.allowed is None else f"{each.message} ({_allowed(each)})"
            where = _cell(f"{_short(each.path) or ''}{line}")
            yield f"| {proof.step} | {where} | {_cell(told)} |"
    for remedy in dict.fromkeys(
        each.remedy for proof in found.proofs for each in proof.refused if each.remedy
    ):
        yield _folded("The safe way", remedy)
    if found.new:
        yield f"\nNew since {_cell(found.since)}:\n\n| revision | message | file |\n|---|---|---|"
    for revision in found.new:
        named = (revision.revision, revision.message, str(_short(revision.path)))
        yield f"| {' | '.join(map(_cell, named))} |"
    yield from _locks(found)
    for revision in found.new:
        if sent := found.sent.get(revision.revision):
            sql = "\n".join(f"{each.sql};" for each in sent)
            yield _folded(f"SQL of {revision.title}", sql)
    yield ""


def _locks(found: Verification) -> Iterator[str]:
    """Yield a table of what the new revisions lock of what is there before them."""
    rows = [
        (
            revision.revision,
            str(statement.line or ""),
            touched.name,
            touched.mode or "",
            ", ".join(touched.waiting) or "nothing",
            ", ".join(
                name
                for name, is_so in (
                    ("rewritten", touched.is_rewritten),
                    ("scanned", touched.is_scanned),
                )
                if is_so
            ),
        )
        for revision in found.new
        if revision.revision in found.traced
        for statement in found.traced[revision.revision].statements
        for touched in statement.touched
        if touched.is_new
    ]
    if rows:
        yield "\n| revision | line | object | lock | what waits | effect |"
        yield "|---|---|---|---|---|---|"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


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


def _document(proof: Proof) -> dict[str, Any]:
    return {
        "step": proof.step,
        "state": proof.state,
        "about": proof.about,
        "skipped": proof.skipped or None,
        "notes": proof.notes,
        "seconds": round(proof.seconds, 6),
        "exit_code": proof.exit_code,
        "findings": [each._asdict() for each in proof.verdicts],
    }


def _lines(step: str, verdict: Verdict) -> Iterator[str]:
    place = f"{_short(verdict.path)}:{verdict.line or 1}: " if verdict.path else ""
    level = _allowed(verdict) if verdict.allowed is not None else verdict.level
    rule = f" ({verdict.rule})" if verdict.rule != step else ""
    yield f"{place}{step}: {level}{rule}"
    yield from (f"    {line}" for line in verdict.message.splitlines())
    if verdict.remedy and verdict.allowed is None:
        yield "    The safe way:"
        yield from (f"        {line}" for line in verdict.remedy.splitlines())


def _allowed(verdict: Verdict) -> str:
    return f"allowed because {verdict.allowed}"


def _rule(proof: Proof, verdict: Verdict) -> str:
    return proof.step if proof.step == verdict.rule else f"{proof.step}: {verdict.rule}"


def _short(path: str | None) -> str | None:
    """Return a path as seen from the working directory, if it is below that."""
    if path is None:
        return None
    folder = os.path.join(os.getcwd(), "")
    return path.removeprefix(folder)


def _escaped(text: str, more: str = "") -> str:
    for each in ("%", "\r", "\n", *more):
        text = text.replace(each, f"%{ord(each):02X}")
    return text


def _legal(text: str) -> str:
    """Return text without what XML has no place for."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
