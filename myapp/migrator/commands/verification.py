"""Prove in a scratch database that the revisions work, in both directions, before a deploy."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from ..base.errors import HistoryError, SettingsError
from ..base.forks import Fork
from ..base.plans import TableSize
from ..base.proofs import NEEDS, STEPS, Observer, Proof, Verification
from ..base.results import Revision
from ..base.traces import TracedRevision
from ..base.verdicts import Verdict
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history
from ..bridge.models import place_of
from ..revisions.fork import fork
from ..run.plan import plan_upgrade
from .chosen_steps import chosen
from .comparison import NoModels, without_caches
from .inspection import bad_downgrades, broken, heads_to_join, irreversible, undocumented
from .novelty import Novelty, novelty, rows_before
from .rehearsal import Rehearsal, rehearsal
from .stairway import REORDERED, stairway
from .tracing import live_sizes, observe


def verify(
    context: RunContext,
    *,
    steps: Collection[str] = (),
    skip: Collection[str] = (),
    since: str | None = None,
    scratch_url: str | None = None,
    observer: Observer | None = None,
    with_sizes: bool = False,
) -> Verification:
    """Take the `steps`, all by default, but for those to `skip`, and those that need one of these.

    These are skipped with the reason. A step brings those that it needs. `since` is the commit, or
    the revision, after which revisions are new; by default the commit at which this branch left
    git's default branch. The live database is not written to; it is read only `with_sizes` of what
    is locked, if it answers at once. `observer` is told of each step.

    Raises UsageError for a name that is no step, or a step that is asked for and can't be taken,
    BadRevision for a `since` that nothing has, and what `scratch` raises.
    """
    reasons = chosen(steps, skip)
    with without_caches(), ExitStack() as stack:
        watching = observer or Observer()
        return _Proving(
            context, reasons, since, scratch_url, watching, stack, with_sizes=with_sizes
        ).all()


@dataclass
class _Found:
    """What one step finds."""

    about: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    exit_code: int | None = None


class _Proving:
    """All steps of one `verify`."""

    def __init__(
        self,
        context: RunContext,
        reasons: Mapping[str, str],
        since: str | None,
        scratch_url: str | None,
        observer: Observer,
        stack: ExitStack,
        *,
        with_sizes: bool,
    ) -> None:
        self._context = context
        self._reasons = reasons
        self._since = since
        self._scratch_url = scratch_url
        self._observer = observer
        self._stack = stack
        self._history: ScriptHistory | None = None
        self._ids: list[str] = []
        self._new = Novelty("", (), "")
        self._rehearsal: Rehearsal | None = None
        self._traced: dict[str, TracedRevision] = {}
        self._fork: Fork | None = None
        self._sizes: dict[str, TableSize] | None = None
        self._with_sizes = with_sizes

    def all(self) -> Verification:
        proofs: dict[str, Proof] = {}
        for name, reason in self._reasons.items():
            self._context.canceller.check()
            needed = proofs.get(NEEDS.get(name, ""))
            if reason:
                proof = Proof(name, skipped=reason)
            elif needed and needed.state != "passed":
                proof = Proof(name, skipped=f"`{needed.step}` did not pass")
            else:
                proof = self._proof(name)
            proofs[name] = proof
            self._observer.ended(proof)
        sent = self._rehearsal.sent if self._rehearsal else {}
        new = tuple(map(self._history.get, self._new.ids)) if self._history else ()
        told = {each.revision: tuple(sent.get(each.revision, ())) for each in new}
        return Verification(
            tuple(proofs.values()),
            len(self._ids),
            self._new.since,
            new,
            told,
            self._traced,
            self._fork,
            self._sizes,
        )

    def _proof(self, name: str) -> Proof:
        self._observer.begins(name)
        began = time.monotonic()
        found: _Found = getattr(self, name)()
        refused = any(each.is_refused for each in found.verdicts)
        exit_code = found.exit_code or (STEPS[name] if refused else 0)
        return Proof(
            name,
            found.about,
            tuple(found.verdicts),
            tuple(found.notes),
            found.skipped,
            time.monotonic() - began,
            exit_code,
        )

    @property
    def _loaded(self) -> ScriptHistory:
        assert self._history is not None  # noqa: S101 - `imports` has passed
        return self._history

    @property
    def _revisions(self) -> list[Revision]:
        return [self._loaded.get(id_) for id_ in self._ids]

    def imports(self) -> _Found:
        try:
            history = load_history(self._context)
            self._history = history
            self._ids = list(reversed(history.ids))
            verdicts = broken(history)
            if not verdicts:
                planned = plan_upgrade(history, "heads", ())
                self._ids = [step.revision.revision for step in planned]
        except HistoryError as error:
            paths = error.details["paths"] or [None]
            line = error.details["line"] or 1
            verdicts = [
                Verdict("imports", "error", error.message, None, path, line if path else None)
                for path in paths
            ]
            return _Found("no history", verdicts)
        self._new = novelty(history, self._ids, self._since)
        return _Found(self._counted(self._ids), verdicts)

    def heads(self) -> _Found:
        verdicts = heads_to_join(self._loaded)
        if verdicts:
            self._fork = fork(self._loaded, [str(each.revision) for each in verdicts])
        return _Found(_count(len(self._loaded.heads()), "head"), verdicts)

    def upgrade(self) -> _Found:
        made = rehearsal(self._context, self._loaded, self._new.ids, self._scratch_url)
        self._rehearsal = self._stack.enter_context(made)
        return _Found(self._counted(self._ids), self._rehearsal.upgrade())

    def stairway(self) -> _Found:
        reasons = irreversible(self._revisions)
        total, climbed = len(self._ids), 0

        def climbs(number: int) -> None:
            nonlocal climbed
            climbed = number
            self._observer.climbs(number, total)

        found = _Found()
        verdicts = stairway(
            self._context,
            self._loaded,
            self._ids,
            reasons,
            scratch_url=self._scratch_url,
            climbs=climbs,
        )
        reordered: list[Verdict] = []
        for each in verdicts:
            (reordered if each.rule == REORDERED else found.verdicts).append(each)
        both = [id_ for id_ in self._ids[:climbed] if id_ not in reasons]
        only_up = f", {climbed - len(both)} up only" if len(both) < climbed else ""
        found.about = f"{self._counted(both)} up, down and up{only_up}"
        for revision in self._revisions[:climbed]:
            if reason := reasons.get(revision.revision):
                found.notes.append(f"{revision.title} only goes up: {reason}")
        if reordered:
            titles = ", ".join(self._loaded.get(str(each.revision)).title for each in reordered)
            found.notes.append(
                "The way down puts columns in another order, which is no failure: one that comes"
                f" back is the last of its table. {titles}."
            )
        if climbed < total:
            found.notes.append(f"{self._counted(self._ids[climbed:])} not tried after that.")
        return found

    def models(self) -> _Found:
        assert self._rehearsal is not None  # noqa: S101 - `upgrade` has passed
        about = "compared with the schema"
        try:
            return _Found(about, self._rehearsal.models())
        except NoModels:
            return _Found(skipped="`alembic.target_metadata` is not set")
        except SettingsError as error:  # a module of the models can't be imported
            path, line = place_of(error.__cause__) or (str(self._context.settings.path), 1)
            verdict = Verdict("models", "error", error.message, None, path, line)
            return _Found(about, [verdict], exit_code=error.exit_code)

    def downgrades(self) -> _Found:
        return _Found(self._counted(self._ids), bad_downgrades(self._revisions))

    def docstrings(self) -> _Found:
        return _Found(self._counted(self._ids), undocumented(self._revisions))

    def lint(self) -> _Found:
        assert self._rehearsal is not None  # noqa: S101 - `upgrade` has passed
        if skipped := self._rehearsal.why_not_linted() or self._new.why:
            return _Found(skipped=skipped)
        return _Found(self._new.told, self._rehearsal.lint())

    def trace(self) -> _Found:
        if self._new.why:
            return _Found(skipped=self._new.why)
        if not self._new.ids:
            return _Found(self._new.told)
        rows = rows_before(self._loaded, self._ids, self._new.ids)
        seen = observe(self._context, rows, scratch_url=self._scratch_url)
        found = _Found(self._new.told, notes=list(seen.notes))
        # Where env.py opens several schemas, each has the same.
        new = [each for each in seen.revisions if each.revision.revision in self._new.ids]
        found.verdicts += dict.fromkeys(verdict for each in new for verdict in each.findings)
        self._traced = {each.revision.revision: each for each in new}
        if self._with_sizes and self._traced:
            self._sizes = live_sizes(self._context, self._loaded)
        if seen.error:
            found.notes.append(seen.error)
            found.exit_code = STEPS["upgrade"]
        return found

    def _counted(self, ids: Sequence[str]) -> str:
        return _count(len(ids), "revision")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
