"""One step of a run, for Alembic: which function to call, and what to write into its table."""

from collections.abc import Callable, Sequence

from alembic.runtime.migration import MigrationInfo, MigrationStep

from ..revisions.rows import RowChange
from .loading import ScriptHistory


class PlannedStep(MigrationStep):
    """The upgrade or downgrade of one revision, used in place of Alembic's `RevisionStep`.

    `moves_row` is called with the old and the new row, right before Alembic writes them.
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
    def added(self) -> Sequence[str]:
        """The rows that it writes."""
        return self._added

    @property
    def name(self) -> str:
        """The direction, for Alembic's log. `migration_fn` has the name of its wrapper."""
        return "upgrade" if self.is_upgrade else "downgrade"

    @property
    def doc(self) -> str:
        """What the revision says of itself, for Alembic's log."""
        return self._script.doc

    def should_delete_branch(self, heads: set[str]) -> bool:
        """Tell whether a row is deleted and none is added."""
        return not self._added

    def should_create_branch(self, heads: set[str]) -> bool:
        """Tell whether a row is added and none is deleted."""
        return not self._removed

    def should_merge_branches(self, heads: set[str]) -> bool:
        """Tell whether one row replaces several."""
        return len(self._removed) > 1

    def should_unmerge_branches(self, heads: set[str]) -> bool:
        """Tell whether several rows replace one."""
        return len(self._added) > 1

    @property
    def delete_version_num(self) -> str:
        """The row that is deleted."""
        return self._removed[0]

    @property
    def insert_version_num(self) -> str:
        """The row that is added."""
        return self._added[0]

    def update_version_num(self, heads: set[str]) -> tuple[str, str]:
        """Return the old row, and the one that replaces it."""
        move = self._removed[0], self._added[0]
        if self.moves_row:
            self.moves_row(move)
        return move

    def merge_branch_idents(self, heads: set[str]) -> tuple[list[str], str, str]:
        """Return the rows that are deleted, the one that is replaced, and its replacement."""
        return self._removed[:-1], self._removed[-1], self._added[0]

    def unmerge_branch_idents(self, heads: set[str]) -> tuple[str, str, list[str]]:
        """Return the row that is replaced, its replacement, and the rows that are added."""
        return self._removed[0], self._added[-1], self._added[:-1]

    @property
    def info(self) -> MigrationInfo:
        """What Alembic gives to an `on_version_apply` of env.py."""
        return MigrationInfo(
            revision_map=self._history.script.revision_map,
            is_upgrade=self.is_upgrade,
            is_stamp=False,
            up_revisions=self.revision.revision,
            down_revisions=self._history.graph.normal_parents[self.revision.revision],
        )
