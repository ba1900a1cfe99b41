"""The stairway: each revision up, down and up again, on empty tables of a scratch database."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from ..base.errors import HalfApplied, HistoryError, MigrateError, MigrationFailed
from ..base.results import Direction, Revision, VersionTable
from ..base.verdicts import Verdict
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory
from ..database.catalogue import ORDER, Catalogue, Difference, catalogue, differences
from ..database.engine import engine_at
from ..database.failures import reason_of
from ..database.url import engine_url
from ..revisions.layout import layout_of
from ..run.remedies import line_in
from .migration import Walk, stepping
from .novelty import rows_after
from .scratch import in_scratch, scratch
from .stamping import ensure_version

RULE = "stairway"
#: The rule of a note: the columns of a table have another order, and nothing else differs.
REORDERED = "column-order"


def stairway(
    context: RunContext,
    history: ScriptHistory,
    ids: Sequence[str],
    irreversible: Collection[str],
    *,
    scratch_url: str | None = None,
    climbs: Callable[[int], object] = lambda _: None,
) -> Iterator[Verdict]:
    """Run each of `ids`, in the order of an upgrade, up, down and up again; yield what is wrong.

    The schema after the way down has to be the one before the way up. Those that are `irreversible`
    only go up. `climbs` is called with the number of each revision, from 1. After a failure that
    leaves the schema in doubt, it goes on in another scratch database.

    Raises what `scratch` raises.
    """
    begun = 0
    while begun < len(ids):
        rows = rows_after(history, ids[:begun])
        with (
            scratch(context, rows, scratch_url=scratch_url, is_fresh=True) as made,
            _looking(made.url) as connection,
        ):
            with in_scratch(context, made.url) as there:
                tables = [each.table for each in ensure_version(there).databases]
            with in_scratch(context, made.url) as there, stepping(there, history) as walk:
                climb = _Climb(history, walk, connection, tables)
                while begun < len(ids) and not climb.is_in_doubt:
                    begun += 1
                    climbs(begun)
                    id_ = ids[begun - 1]
                    yield from climb.step(id_, is_reversible=id_ not in irreversible)
                if climb.is_stopped:
                    return


class _Climb:
    """The way through one scratch database.

    It `is_in_doubt` when its schema may not be that of a revision, and `is_stopped` where no other
    database would come further.
    """

    def __init__(
        self,
        history: ScriptHistory,
        walk: Walk,
        connection: Connection,
        tables: Iterable[VersionTable],
    ) -> None:
        self._history = history
        self._walk = walk
        self._connection = connection
        quote = connection.dialect.identifier_preparer.quote
        self._without = [
            ".".join(map(quote, filter(None, (each.schema, each.name)))) for each in tables
        ]
        self.is_in_doubt = self.is_stopped = False

    def step(self, id_: str, *, is_reversible: bool) -> Iterator[Verdict]:
        revision = self._history.get(id_)
        before = self._schema() if is_reversible else None
        if failed := self._run(revision, "upgrade"):
            self.is_in_doubt = self.is_stopped = True
            yield failed
        if before is None or failed:
            return
        if failed := self._run(revision, "downgrade"):
            yield failed
            return
        different = differences(before, self._schema())
        found = [each for each in different if each.kind != ORDER]
        if found:
            yield _differs(revision, found)
        elif different:
            yield Verdict(REORDERED, "note", "", revision.revision)
        if failed := self._run(revision, "upgrade"):
            self.is_in_doubt = True
            if not found:
                yield failed._replace(message=f"{failed.message} It was the second time.")

    def _run(self, revision: Revision, direction: Direction) -> Verdict | None:
        try:
            self._walk(revision.revision, direction)
        except (MigrationFailed, HalfApplied, HistoryError) as error:
            self.is_in_doubt = not isinstance(error, MigrationFailed)
            return failed(revision, direction, error, RULE)
        return None

    def _schema(self) -> Catalogue:
        with self._connection.begin():
            return catalogue(self._connection, self._without)


def failed(revision: Revision, direction: Direction, error: MigrateError, rule: str) -> Verdict:
    """Return the verdict on a revision whose function failed with `error`."""
    cause = error.__cause__ or error
    stays = " Something of it stays." if isinstance(error, HalfApplied) else ""
    return Verdict(
        rule,
        "error",
        f"`{direction}()` failed: {reason_of(cause)}.{stays}",
        revision.revision,
        revision.path,
        line_in(revision, cause) or _line(revision, direction),
        sql=str(getattr(cause, "statement", None) or ""),
    )


def _differs(revision: Revision, found: Sequence[Difference]) -> Verdict:
    listed = "".join(f"\n{line}" for each in found for line in _told(each))
    return Verdict(
        RULE,
        "error",
        f"After `downgrade()` the schema is another one than before `upgrade()`:{listed}",
        revision.revision,
        revision.path,
        _line(revision, "downgrade"),
    )


def _told(each: Difference) -> Iterator[str]:
    name = f"{each.kind} {each.name}"
    if each.expected is None:
        yield f"+ {name} is left over"
    elif each.found is None:
        yield f"- {name} is gone"
    else:
        for fact in each.changed:
            was, now = each.expected.facts.get(fact), each.found.facts.get(fact)
            yield f"~ {name}: {fact} was {was or 'not set'}, and is {now or 'not set'}"


def _line(revision: Revision, direction: Direction) -> int:
    layout = layout_of(revision.path)
    if layout is None:
        return 1
    return (layout.upgrade if direction == "upgrade" else layout.downgrade).line


@contextmanager
def _looking(url: str) -> Iterator[Connection]:
    """Connect to a scratch database to look at its schema, with a driver that waits."""
    made = engine_url(url)
    engine = engine_at(
        engine_url(
            made.set(drivername=made.get_backend_name()).render_as_string(hide_password=False)
        )
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
