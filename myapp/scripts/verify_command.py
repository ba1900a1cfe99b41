"""The command that proves the revisions in a scratch database."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .cli import cli
from .durations import format_seconds
from .group import option
from .session import Session

if TYPE_CHECKING:
    from ..migrator.base.proofs import Observer

_FILE = click.Path(dir_okay=False, path_type=Path)


@cli.command("verify", connects=True)
@option("--step", "steps", multiple=True, metavar="NAME", help="Take this step only; repeatable.")
@option("--skip", multiple=True, metavar="NAME", help="Leave this step out; repeatable.")
@option(
    "--since", metavar="REV", help="Lint and trace what is new since this revision or git commit."
)
@option("--scratch-url", help="Work on this PostgreSQL server instead of the live one.")
@option("--junit", type=_FILE, metavar="FILE", help="Write a report as JUnit's XML.")
@option("--markdown", type=_FILE, metavar="FILE", help="Write a comment for a pull request.")
@click.pass_obj
def verify(
    session: Session,
    steps: Sequence[str],
    skip: Sequence[str],
    since: str | None,
    scratch_url: str | None,
    junit: Path | None,
    markdown: Path | None,
) -> object:
    """Prove the revisions in a scratch database.

    The steps are imports, heads, upgrade, stairway (each revision up, down and up again), models,
    downgrades, docstrings, lint and trace. The live database is not written to. The exit
    status is that of the first step that failed.
    """
    from ..migrator.commands import chosen_steps, verification
    from . import verify_output, whole_files

    chosen_steps.chosen(steps, skip)
    for path in filter(None, (junit, markdown)):
        whole_files.require_writable(path)
    if junit:
        verify_output.require_junitparser()
    found = verification.verify(
        session.context(autogenerate=True),
        steps=steps,
        skip=skip,
        since=since,
        scratch_url=scratch_url,
        observer=_observer(session),
        with_sizes=markdown is not None,
    )
    found = verify_output.without_secrets(found, session.console.redactor.redact)
    if junit:
        verify_output.write_junit(junit, found)
    if markdown:
        from .verify_markdown import write_markdown

        write_markdown(markdown, found)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in verify_output.annotations(found):
            session.console.stderr.write(f"{line}\n")
    return verify_output.VerifyAnswer(found)


def _observer(session: Session) -> "Observer | None":
    from ..migrator.base.proofs import STEPS, Observer, Proof

    if session.typed.quiet:
        return None
    stderr, wide = session.console.stderr, max(map(len, STEPS))
    colors = {"passed": "green", "failed": "red", "skipped": "yellow"}

    class Told(Observer):
        """Writes a line for each step, and on a terminal how far it has come."""

        def begins(self, step: str) -> None:
            self._step = step
            stderr.write_passing_line(f"{step:{wide}} ...")

        def climbs(self, number: int, total: int) -> None:
            stderr.write_passing_line(f"{self._step:{wide}} ... {number}/{total}")

        def ended(self, proof: Proof) -> None:
            state = click.style(f"{proof.state:7}", fg=colors[proof.state])
            about = proof.skipped or proof.about
            if count := len(proof.verdicts):
                about += f", {count} finding{'s' * (count > 1)}"
            seconds = "" if proof.skipped else f"  {format_seconds(proof.seconds)}"
            line = f"{proof.step:{wide}} {state} {about}{seconds}"
            stderr.write_line(line, color=session.typed.color, indent=wide + 9)

    return Told()
