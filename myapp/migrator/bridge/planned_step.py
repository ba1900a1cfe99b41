"""One step of a run, for Alembic: which function to call, and what to write into its table."""

from collections.abc import Callable

from alembic.runtime.migration import MigrationInfo, MigrationStep

from ..revisions.rows import RowChange
from .loading import ScriptHistory


class PlannedStep(MigrationStep):
    """The upgrade or downgrade of one revision; takes the place of Alembic's `RevisionStep`.

    `moves_row` hears which row takes the place of which, right before Alembic writes that.
    """

    moves_row: Callable[[tuple[str, str]], None] | None = None

    def __init__(
        self, history: ScriptHistory, id_: str, rows: RowChange, *, is_upgrade: bool
    ) -> None:
        self._script = script = history.script_of(id_)
        self.revision = history.get(id_)
        self.is_upgrade = is_upgrade
        self.function = script.module.upgrade if is_upgrade else script.module.downgrade
        self.migration_fn = self.function
        down, here = self.revision.down_revisions, (id_,)
        self.from_revisions_no_deps = down if is_upgrade else here
        self.to_revisions_no_deps = here if is_upgrade else down
        self._history = history
        self._removed = list(rows.removed)
        self._added = list(rows.added)

    @property
    def doc(self) -> str:
        """What the revision says of itself, for Alembic's log."""
        return self._script.doc

    def should_delete_branch(self, heads: set[str]) -> bool:
        """Tell whether a row goes without another in its place."""
        return not self._added

    def should_create_branch(self, heads: set[str]) -> bool:
        """Tell whether a row comes without another's going."""
        return not self._removed

    def should_merge_branches(self, heads: set[str]) -> bool:
        """Tell whether one row takes the place of several."""
        return len(self._removed) > 1

    def should_unmerge_branches(self, heads: set[str]) -> bool:
        """Tell whether several rows take the place of one."""
        return len(self._added) > 1

    @property
    def delete_version_num(self) -> str:
        """The row that goes."""
        return self._removed[0]

    @property
    def insert_version_num(self) -> str:
        """The row that comes."""
        return self._added[0]

    def update_version_num(self, heads: set[str]) -> tuple[str, str]:
        """Return the row that goes, and the one in its place."""
        move = self._removed[0], self._added[0]
        if self.moves_row:
            self.moves_row(move)
        return move

    def merge_branch_idents(self, heads: set[str]) -> tuple[list[str], str, str]:
        """Return the rows that go, the last that does, and the one in its place."""
        return self._removed[:-1], self._removed[-1], self._added[0]

    def unmerge_branch_idents(self, heads: set[str]) -> tuple[str, str, list[str]]:
        """Return the row that goes, the one in its place, and those that come beside it."""
        return self._removed[0], self._added[-1], self._added[:-1]

    @property
    def info(self) -> MigrationInfo:
        """What an `on_version_apply` of env.py is told."""
        return MigrationInfo(
            revision_map=self._history.script.revision_map,
            is_upgrade=self.is_upgrade,
            is_stamp=False,
            up_revisions=self.revision.revision,
            down_revisions=self._history.graph.normal_parents[self.revision.revision],
        )
