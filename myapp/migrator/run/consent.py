"""What a run drops is told before it runs, and it may have to be agreed to."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import SQLAlchemyError

from ..base.errors import MigrateError, UsageError
from ..base.losses import Drop, Loss
from ..base.results import Direction, VersionTable, name_of
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory
from ..bridge.place import version_table
from ..bridge.planned_step import PlannedStep
from ..bridge.version_table import GLANCE_SECONDS, examine
from ..database.loss_counts import counted
from ..revisions.drops import drops_of, renames
from .plan import Planner

#: Is told what a run drops, and whether the lock is held; tells whether it may.
MayDrop = Callable[[Sequence[Loss], bool], bool]


def anything(losses: Sequence[Loss], is_locked: bool) -> bool:
    """Agree without a word."""
    return True


class Consent:
    """Tells of what the plans of one run drop, once for each revision, and asks whether it may."""

    def __init__(self, may_drop: MayDrop, direction: Direction, target: str) -> None:
        self._may_drop = may_drop
        self._direction = direction
        self._sure = f"{{cmd}} {direction} {target} --yes"
        self._told: set[str] = set()

    def require(
        self,
        context: RunContext,
        history: ScriptHistory,
        planned: Sequence[tuple[VersionTable, Sequence[PlannedStep]]],
    ) -> None:
        """Tell of what the plans drop, before the lock is taken.

        Raises UsageError when it may not be dropped.
        """
        losses = [
            Loss(drop, step.revision.revision, place=_place(table, planned))
            for table, steps in planned
            for step in steps
            for drop in self._drops(step)
            if self._is_there(drop, table)
        ]
        self._told.update(step.revision.revision for _, steps in planned for step in steps)
        if losses:
            losses = self._counted(context, history, losses, planned)
        if losses and not self._may_drop(losses, False):
            raise UsageError(
                "Nothing was changed: nobody has agreed to it.",
                hint=f"`{self._sure}` does it without a question.",
            )

    def guarded(self, planner: Planner) -> Planner:
        """Return a `planner` for use under the lock, where another run may have gone on meanwhile.

        It raises UsageError for what somebody would have had to agree to before.
        """

        def plan(history: ScriptHistory, target: str, rows: Sequence[str]) -> list[PlannedStep]:
            steps = planner(history, target, rows)
            new = [step for step in steps if step.revision.revision not in self._told]
            self._told.update(step.revision.revision for step in new)
            # From base, a run may drop what it has made itself, and the database isn't asked now.
            is_known = bool(rows) or self._direction == "downgrade"
            losses = [
                Loss(drop, step.revision.revision)
                for step in (new if is_known else ())
                for drop in self._drops(step)
            ]
            if losses and not self._may_drop(losses, True):
                raise UsageError(
                    "What this run drops was not known before it held the lock, and nobody has"
                    " agreed to it.",
                    hint=f"run it again; `{self._sure}` does it without a question.",
                )
            return steps

        return plan

    def _drops(self, step: PlannedStep) -> Iterable[Drop]:
        return drops_of(step.revision.path, self._direction)

    def _is_there(self, drop: Drop, table: VersionTable) -> bool:
        """Tell whether it may be in the database yet. A run may drop what it has made itself."""
        return not table.missing_file and (drop.is_named or bool(table.rows))

    def _counted(
        self,
        context: RunContext,
        history: ScriptHistory,
        losses: list[Loss],
        planned: Sequence[tuple[VersionTable, Any]],
    ) -> list[Loss]:
        """Return the losses with what the databases say of them; as they are if they can't."""
        may_rename = self._direction == "downgrade" or any(
            renames(step.revision.path, self._direction) for _, steps in planned for step in steps
        )

        def take(rows: Sequence[Any], migration_context: MigrationContext) -> list[Loss]:
            connection = migration_context.connection
            table = version_table(migration_context, tuple(rows))
            if connection is None:
                return []
            mine = [loss for loss in losses if loss.place == _place(table, planned)]
            found = (
                counted(connection, each.drop, each.revision, each.place)
                or Loss(each.drop, each.revision, None, "hidden", each.place)
                for each in mine
            )
            return [loss for loss in found if self._matters(loss, may_rename)]

        try:
            each = examine(context, history.script, take, seconds=GLANCE_SECONDS)
        except (MigrateError, SQLAlchemyError):
            return losses
        finally:
            # A server may have no connection to spare for the lock.
            if made := context.database.engine:
                made.dispose()
        return list(dict.fromkeys(loss for found in each for loss in found))

    def _matters(self, loss: Loss, may_rename: bool) -> bool:
        """Tell whether it is worth a word: an upgrade that drops what is empty loses nothing.

        What isn't there may have been renamed since its revision, or be renamed by this run.
        """
        if loss.precision == "hidden":
            return may_rename
        return loss.number != 0 or (self._direction == "downgrade" and loss.drop.what != "rows")


def _place(table: VersionTable, planned: Sequence[tuple[VersionTable, Any]]) -> str:
    tables = [each for each, _ in planned]
    return name_of(table, tables) if len(tables) > 1 else ""
