"""What autogenerate has found for new revisions, and what is made of it."""

from collections.abc import Iterator, Sequence

from alembic.autogenerate import RevisionContext
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext

from ..base.author import Author
from ..base.errors import UsageError
from ..base.results import NewRevisions, Revision
from ..bridge.losses import Losses
from ..bridge.operations import described, leaves
from ..bridge.renames import Rename, possible_renames
from ..bridge.table_renames import TableRename, possible_table_renames


class Findings:
    """The operations in `generated`, in all its scripts."""

    def __init__(self, generated: RevisionContext) -> None:
        self._generated = generated
        self._losses = Losses()
        self._renames: list[Rename | TableRename] = []
        self._unasked: list[Rename | TableRename] = []

    def look(self, migration_context: MigrationContext) -> None:
        """Look at what has just been found, while its database is open."""
        if migration_context.connection is not None:
            self._losses.look(self._operations(), migration_context.connection)
        for script in self._generated.generated_revisions:
            known = {id(each.added) for each in self._renames}
            tables = possible_table_renames(script, migration_context)
            columns = possible_renames(script, migration_context)
            found: list[Rename | TableRename] = [*tables, *columns]
            self._renames += [each for each in found if id(each.added) not in known]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do, in either direction."""
        scripts = self._generated.generated_revisions
        downgrades = (each.downgrade_ops_list for each in scripts)
        return not any(self._operations()) and not any(map(_has_any, downgrades))

    def rename(self, typed: Sequence[str], author: Author) -> None:
        """Rename what is `typed`, as `table.old:new` or `old:new`, and what `author` confirms.

        Raises UsageError where one was not found.
        """
        for name in typed:
            found = [each for each in self._open() if each.as_typed == name]
            if not found:
                raise self._not_found(name)
            for each in found:  # in several databases
                each.apply()
        for each in self._renames:
            if not (each.is_open and each.has_same_type):
                continue
            is_one = author.is_renamed(*each.names)
            if is_one:
                each.apply()
            elif is_one is None:
                self._unasked.append(each)

    def told(self, revisions: tuple[Revision, ...], sql: str) -> NewRevisions:
        """Return the result, for the `revisions` that were written."""
        lines: list[str] = []
        losses: list[str] = []
        for each in self._operations():
            loss = self._losses.described(each)
            losses += [loss] if loss else []
            lines += [loss] if loss else described(each)
        possible = dict.fromkeys(each.as_typed for each in self._unasked if each.is_open)
        return NewRevisions(revisions, tuple(lines), sql, tuple(losses), tuple(possible))

    def _open(self) -> list[Rename | TableRename]:
        return [each for each in self._renames if each.is_open]

    def _operations(self) -> Iterator[MigrateOperation]:
        for script in self._generated.generated_revisions:
            yield from leaves(script.upgrade_ops_list)

    def _not_found(self, typed: str) -> UsageError:
        possible = [each.as_typed for each in self._open()]
        shown = " or ".join(f"`--rename {each}`" for each in possible[:3])
        return UsageError(
            f"`--rename {typed}` names no removed and added column of one table, and no such"
            " tables.",
            hint=f"it could be {shown}."
            if possible
            else "it is written `TABLE.OLD:NEW`, or `OLD:NEW` for a table with the same columns.",
        )


def _has_any(containers: Sequence[object]) -> bool:
    return any(True for _ in leaves(containers))  # type: ignore[arg-type]
