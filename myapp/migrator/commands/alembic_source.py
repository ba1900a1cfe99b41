"""The facts for the reading commands, as Alembic and `env.py` have them."""

from collections.abc import Sequence
from functools import cached_property

from ..base.ask_alembic import AskAlembic
from ..base.results import Revision, VersionTable
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.targets import check_known, find, resolve
from ..bridge.version_table import GLANCE_SECONDS, history_of_files, read_each
from ..revisions.resolution import revisions_between


class AlembicSource:
    """A `reports.Source` that answers every question."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    @cached_property
    def _loaded(self) -> ScriptHistory:
        return load_history(self._context, self._context.reading)

    def history(self) -> ScriptHistory:
        """Return the revisions; where `env.py` may say which files count, it is run."""
        return history_of_files(self._context)

    def stand(self, *, is_needed: bool = True) -> tuple[ScriptHistory, tuple[VersionTable, ...]]:
        """Return the revisions, and the version table of each database."""
        is_patient = is_needed or self._context.settings.options.wait_db
        seconds = None if is_patient else GLANCE_SECONDS
        tables = read_each(self._context, self._loaded.script, seconds=seconds)
        return self.history_so_far(), tables

    def history_so_far(self) -> ScriptHistory:
        """Return the revisions as they are known now that `env.py` has run."""
        return settled(self._context, self._loaded)

    def find(self, history: ScriptHistory, target: str, command: str) -> tuple[Revision, ...]:
        """Return the revisions that `target` names."""
        return find(history, target, command)

    def between(
        self,
        history: ScriptHistory,
        typed: str,
        base: str | Sequence[str],
        head: str | Sequence[str],
    ) -> Sequence[str]:
        """Return the ids from `head` down to `base`, which was `typed` as a range."""
        for end in (base, head):
            if isinstance(end, str) and end not in ("base", "heads"):
                check_known(history, end)
        try:
            if isinstance(base, str) and isinstance(head, str):
                return revisions_between(history.graph, base, head)
        except AskAlembic:
            pass  # Alembic is asked below
        walk = history.script.walk_revisions
        # Alembic takes several revisions here; its annotation says one.
        found = resolve(history, typed, "history", lambda: list(walk(base, head)))  # type: ignore[arg-type]
        return [script.revision for script in found]
