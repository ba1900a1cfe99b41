"""What `verify` has found: as text, JSON, JUnit's XML, GitHub's annotations and Markdown."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..migrator.base.errors import UsageError
from ..migrator.base.proofs import Proof, Verification
from ..migrator.base.verdicts import Verdict
from .forks import fork_lines
from .whole_files import write_whole

#: How wide a drawing is at most.
_DRAWN = 76


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
            "fork": found.fork and found.fork.document(),
            "new": [each.revision for each in found.new],
            "proofs": [_document(each) for each in found.proofs],
        }

    def lines(self) -> list[str]:
        """Return the lines of the answer in text."""
        lines: list[str] = []
        for proof in self.found.proofs:
            for each in proof.verdicts:
                lines += _lines(proof.step, each)
            if proof.step == "heads" and self.found.fork:
                lines += [f"    {line}" for line in fork_lines(self.found.fork, _DRAWN)]
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
            verdicts=tuple(each.redacted(redact) for each in proof.verdicts),
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
    actions/toolkit's `core/src/command.ts` what is escaped. A file is named as the repository has
    it, wherever in it the command runs.
    """
    top = os.environ.get("GITHUB_WORKSPACE")
    levels = {"error": "error", "warning": "warning", "note": "notice"}
    for proof in found.proofs:
        for each in proof.verdicts:
            level = "notice" if each.allowed is not None else levels[each.level]
            properties = {
                "file": short(each.path, top),
                "line": each.line,
                "title": _rule(proof, each),
            }
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
    place = f"{short(verdict.path)}:{verdict.line}: " if verdict.path else ""
    return f"{place}{verdict.message}"


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
    place = f"{short(verdict.path)}:{verdict.line or 1}: " if verdict.path else ""
    level = allowed(verdict) if verdict.allowed is not None else verdict.level
    rule = f" ({verdict.rule})" if verdict.rule != step else ""
    yield f"{place}{step}: {level}{rule}"
    yield from (f"    {line}" for line in verdict.message.splitlines())
    if verdict.remedy and verdict.allowed is None:
        yield "    The safe way:"
        yield from (f"        {line}" for line in verdict.remedy.splitlines())


def allowed(verdict: Verdict) -> str:
    """Return why a finding stops nothing, in words."""
    return f"allowed because {verdict.allowed}"


def _rule(proof: Proof, verdict: Verdict) -> str:
    return proof.step if proof.step == verdict.rule else f"{proof.step}: {verdict.rule}"


def short(path: str | None, top: str | None = None) -> str | None:
    """Return a path as seen from `top`, or from the working directory, if it is below that."""
    return path and path.removeprefix(os.path.join(top or os.getcwd(), ""))


def _escaped(text: str, more: str = "") -> str:
    for each in ("%", "\r", "\n", *more):
        text = text.replace(each, f"%{ord(each):02X}")
    return text


def _legal(text: str) -> str:
    """Return text without what XML has no place for."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
