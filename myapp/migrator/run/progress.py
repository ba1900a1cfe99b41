"""How far a run has come: its revisions, judged by the version tables of their databases."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..base.errors import LockLost
from ..base.results import Step, VersionTable
from ..bridge.version_row import VersionRow
from .evidence import Evidence
from .plans import Plan, Plans


class Progress:
    """Says which revisions of `plans` are recorded, which are not, and which have not begun."""

    def __init__(
        self,
        plans: Plans,
        row: VersionRow,
        evidence: Evidence,
        applied: Callable[[Iterable[str]], set[str]],
        *,
        is_upgrade: bool,
    ) -> None:
        """Judge `plans`; `applied` returns the revisions that a database with some rows has."""
        self._plans = plans
        self._row = row
        self._evidence = evidence
        self._applied = applied
        self._is_upgrade = is_upgrade

    def of(self, plan: Plan, now: Sequence[VersionTable]) -> list[Step]:
        """Return those `done` steps of `plan` that the version tables of `now` show as done."""
        return self.done_of(plan, self._plans.rows(plan, now))

    def done_of(self, plan: Plan, rows: Iterable[str]) -> list[Step]:
        """Return those `done` steps of `plan` that the `rows` of its database show as done."""
        return self._recorded(plan.done, rows)

    def not_kept(self, now: Sequence[VersionTable]) -> list[Step]:
        """Return the `done` steps whose rows were committed, and don't stand in the tables."""
        recorded = self.recorded(now)
        return [
            step
            for plan in self._plans.all
            for step in plan.done
            if step not in recorded and plan.written[step.revision.revision] in self._row.committed
        ]

    def recorded(self, now: Sequence[VersionTable]) -> list[Step]:
        """Return the `done` steps that the version table of their own database shows as done."""
        return [step for plan in self._plans.all for step in self.of(plan, now)]

    def is_recorded(self, now: Sequence[VersionTable]) -> bool:
        """Tell whether the version table shows the revision as done that was `running`."""
        plan = self._plans.at
        if plan is None or plan.running is None:
            return False
        return bool(self._recorded([plan.running], self._plans.rows(plan, now)))

    def told(self, now: Sequence[VersionTable] | None, failed: str | None) -> dict[str, Any]:
        """Return how far the run came, in ids, except for the revision that has `failed`.

        `now` are the version tables. Where that is None, what waited to be committed with other
        revisions is None too.
        """
        done: list[str] = []
        not_recorded: list[str] = []
        not_begun: list[str] = []
        for plan in self._plans.all:
            is_last = plan is self._plans.at
            tried = [*plan.done, *([plan.running] if plan.running else [])]
            kept = plan.done
            if now is not None:
                kept = self._recorded(tried, self._plans.rows(plan, now))
            done += _ids(kept)
            lost = _ids(step for step in plan.done if step not in kept)
            not_recorded += [id_ for id_ in lost if not (is_last and id_ == failed)]
            not_begun += [step.revision.revision for step in plan.steps[len(tried) :]]
        is_known = now is not None or not done or not self._evidence.shares_transaction
        return {
            "done": done if is_known else None,
            "not_recorded": not_recorded if is_known else None,
            "not_begun": not_begun,
        }

    def _recorded(self, steps: Iterable[Step], rows: Iterable[str]) -> list[Step]:
        applied = self._applied(rows)
        return [step for step in steps if (step.revision.revision in applied) == self._is_upgrade]

    def require_undone(self, plan: Plan, rows: Iterable[str]) -> None:
        """Raise LockLost when the `rows` show that another run has done what is left of `plan`.

        It may do so between two tries if the lock is the migration session's, which ends with each.
        """
        applied = self._applied(rows)
        for step in plan.steps[len(plan.done) :]:
            if (step.revision.revision in applied) == self._is_upgrade:
                raise LockLost(
                    f"Between two tries, when this run held no lock, another one has"
                    f" {'applied' if self._is_upgrade else 'undone'} {step.revision.title}.",
                    hint="run the command again.",
                )


def _ids(steps: Iterable[Step]) -> list[str]:
    return [step.revision.revision for step in steps]
