"""`plan`: what a run would do, revision by revision, without doing it."""

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from ..base.errors import BadRevision, DatabaseUnreachable, EnvPyFailed, MigrateError, UsageError
from ..base.plans import Plan, PlannedRevision, TableSize
from ..base.results import Direction, VersionTable
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.env_failures import told_as_errors
from ..bridge.env_py import env_py_of, run_env, tell_env_py, writes_files
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.place import require_schema, version_table
from ..bridge.planned_step import PlannedStep
from ..bridge.rendering import Setup, rendering, setup_of
from ..bridge.slips import require_typed_out
from ..bridge.targets import find
from ..bridge.version_facts import checked
from ..bridge.version_row import aside
from ..bridge.version_table import examine, missing_file
from ..database.engine import server_version
from ..database.linter import FAILED, findings, installed_linter
from ..database.listening import listening
from ..database.table_sizes import named_in, table_sizes
from ..revisions import answers
from ..run.plan import is_past, plan_downgrade, plan_upgrade

#: How many linters run at once. Each takes some milliseconds.
_AT_ONCE = 4
_WITHOUT = "`{cmd} plan --from REVISION` needs no database."


class Place(NamedTuple):
    """One database, as it was found: its version table, its setup, and its tables."""

    table: VersionTable
    setup: Setup
    tables: tuple[TableSize, ...] = ()
    version: str | None = None

    def at(self, rows: tuple[str, ...]) -> "Place":
        """Return the same as if its version table held `rows`."""
        return Place(replace(self.table, rows=rows), self.setup)

    @property
    def alike(self) -> tuple[Any, ...]:
        """What stays the same in databases in which a revision is the same SQL."""
        setup = self.setup
        options = {k: v for k, v in setup.options.items() if not callable(v)}
        return self.table.rows, setup.dialect, repr(options), repr(setup.arguments), self.version


def plan(
    context: RunContext,
    target: str = "heads",
    *,
    direction: Direction = "upgrade",
    start: str | None = None,
    tag: str | None = None,
) -> Plan:
    """Return what `upgrade` or `downgrade` to `target` would do where the databases stand.

    With `start`, a revision, it is what a run would do from there, and no database is asked. It
    never takes the lock. Revisions that need what a database answers are written up to there.

    Raises what `plan_upgrade`, `plan_downgrade` and `read_each` raise; UsageError when `target` is
    on the wrong side of `start`, or `env.py` connects in offline mode.
    """
    return plan_and_places(context, target, direction=direction, start=start, tag=tag)[0]


def plan_and_places(
    context: RunContext,
    target: str,
    *,
    direction: Direction,
    start: str | None = None,
    tag: str | None = None,
) -> tuple[Plan, list[Place]]:
    """Return what `plan` does, and the databases for which it is. Raises what `plan` raises."""
    tell_env_py(context, target, tag)
    history = load_history(context, context.reading)
    with shared_engine(context):
        places = _live(context, history) if start is None else _offline(context, history)
        history = settled(context, history)
        if start is not None:
            rows = _rows_at(history, start)
            places = [each.at(rows) for each in places]
    tables = [place.table for place in places]
    try:
        steps = [_steps(history, direction, target, each, tables) for each in tables]
    except BadRevision as error:
        if start is not None and error.details["reason"] == "not_applied":
            raise _wrong_way(target, start, direction) from None
        raise
    past = direction == "upgrade" and bool(tables) and not any(steps)
    past = past and all(is_past(history, target, table.rows) for table in tables)
    if past and start is not None:
        raise _wrong_way(target, start, direction)
    planned, is_linted = _written(context, history, list(zip(places, steps, strict=True)))
    found = answers.statuses(history, tables) if start is None else ()
    made = Plan(direction, target, planned, start, past, is_linted, databases=found)
    return made, places


def _steps(
    history: ScriptHistory,
    direction: Direction,
    target: str,
    table: VersionTable,
    tables: Sequence[VersionTable],
) -> list[PlannedStep]:
    with answers.in_database(table, tables):
        history.require_known(table.rows, hint=_WITHOUT)
        make = plan_downgrade if direction == "downgrade" else plan_upgrade
        try:
            return make(history, target, table.rows)
        except MigrateError as error:  # what it says to type must not do what is only planned
            hint = (error.hint or "").replace("{cmd} downgrade ", "{cmd} plan --down ")
            error.hint = hint.replace("{cmd} upgrade ", "{cmd} plan ") or None
            raise


def _live(context: RunContext, history: ScriptHistory) -> list[Place]:
    """Return where the databases stand, and their tables. Raises what `read_each` raises."""

    def take(rows: Sequence[Any], migration_context: MigrationContext) -> Place:
        table = version_table(migration_context, checked(rows, migration_context))
        require_schema(migration_context, table)
        table = replace(table, missing_file=missing_file(migration_context))
        setup = setup_of(context, migration_context)
        with aside(migration_context) as connection:
            return Place(table, setup, table_sizes(connection), server_version(connection))

    wait = context.settings.options.lock_wait
    try:
        found = examine(context, history.script, take, lock_wait=wait)
    except DatabaseUnreachable as error:
        error.hint = " ".join(filter(None, [error.hint, _WITHOUT]))
        raise
    return list({place.table: place for place in found}.values())


def _offline(context: RunContext, history: ScriptHistory) -> list[Place]:
    """Let `env.py` configure Alembic as for a script. It must not connect."""
    places: list[Place] = []

    def take(environment: EnvironmentContext) -> None:
        migration_context = environment.get_context()
        table = VersionTable("", None, migration_context.version_table, ())
        places.append(Place(table, setup_of(context, migration_context)))

    if writes_files(env_py_of(history.script)):
        raise UsageError(
            "env.py sets `output_buffer`, so that it may write files in offline mode. A plan writes"
            " none, so `--from` can't do with it.",
            hint="leave out `--from`.",
        )
    with told_as_errors(), listening(do_connect=_refuse):
        run_env(context, history.script, lambda *_: [], take, as_sql=True)
    if not places:
        raise EnvPyFailed(
            "env.py ended without running Alembic, so nothing is known of the SQL.",
            hint="let it call `context.configure()` and `context.run_migrations()`.",
        )
    return list({place.alike: place for place in places}.values())


def _rows_at(history: ScriptHistory, start: str) -> tuple[str, ...]:
    """Return the rows of a database at the revision `start`."""
    require_typed_out(history, start, "plan --from")
    found = find(history, start, "plan --from")
    return tuple(history.foremost([revision.revision for revision in found]))


def _refuse(*_: Any) -> None:
    raise UsageError(
        "env.py connects to the database, though it was asked for SQL only: `--from` can't do"
        " without the database.",
        hint="let env.py ask `context.is_offline_mode()`, or leave out `--from`.",
    )


def _wrong_way(target: str, start: str, direction: Direction) -> UsageError:
    is_up = direction == "upgrade"
    return UsageError(
        f"`{target}` is {'not above' if is_up else 'not below'} `{start}`, so nothing leads"
        f" {'up' if is_up else 'down'} to it.",
        hint=f"type `{{cmd}} plan --from {start} {'--down ' if is_up else ''}{target}`.",
    )


def _written(
    context: RunContext,
    history: ScriptHistory,
    planned: Sequence[tuple[Place, list[PlannedStep]]],
) -> tuple[tuple[PlannedRevision, ...], bool | None]:
    """Return the revisions as SQL, with what was found, and whether the linter has had its say."""
    is_postgresql = any(p.setup.dialect.startswith("postgresql") for p, steps in planned if steps)
    linter = installed_linter() if is_postgresql else None
    written: list[PlannedRevision] = []
    known: dict[tuple[Any, ...], list[PlannedRevision]] = {}
    for place, steps in planned:
        if place.alike not in known:
            known[place.alike] = list(_rendered(context, history, place, steps))
            by = linter if place.setup.dialect.startswith("postgresql") else None
            known[place.alike] = _judged(by, known[place.alike], place.version)
        for each, step in zip(known[place.alike], steps, strict=True):
            named = named_in([sent.sql for sent in each.statements], place.tables)
            if each.unrendered:
                named += named_in(_texts(step), place.tables)
            tables = tuple(t for t in dict.fromkeys(named) if t.name != place.table.name)
            written.append(replace(each, table=place.table, tables=tables))
    return tuple(written), bool(linter) if is_postgresql else None


def _rendered(
    context: RunContext, history: ScriptHistory, place: Place, steps: Iterable[PlannedStep]
) -> Iterator[PlannedRevision]:
    with told_as_errors(), rendering(context, history.script, place.setup) as renderer:
        for step in steps:
            sent, unrendered = renderer.rendered(step)
            direction: Direction = "upgrade" if step.is_upgrade else "downgrade"
            whole = renderer.is_transactional and all(each.is_transactional for each in sent)
            yield PlannedRevision(
                step.revision,
                direction,
                place.table,
                whole,
                renderer.is_shared,
                sent,
                unrendered,
            )


def _judged(
    linter: str | None, planned: Iterable[PlannedRevision], version: str | None
) -> list[PlannedRevision]:
    """Add what the linter finds, and what the file's comments allow."""

    def add(each: PlannedRevision) -> PlannedRevision:
        id_, path = each.revision.revision, each.revision.path
        given: dict[str, Any] = {"direction": each.direction, "pg_version": version}
        return replace(each, findings=findings(linter, id_, path, each.statements, **given))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(_told_once(pool.map(add, planned)))


def _told_once(planned: Iterable[PlannedRevision]) -> Iterator[PlannedRevision]:
    """Leave out notes that say of every revision what they said of the first."""
    told: set[str] = set()
    for each in planned:
        kept = [v for v in each.findings if v.rule != FAILED or v.sql or v.message not in told]
        told |= {v.message for v in kept if v.rule == FAILED and not v.sql}
        yield replace(each, findings=tuple(kept))


def _texts(step: PlannedStep) -> Iterator[str]:
    """Yield the texts that the function of a revision writes out: names of tables, SQL."""
    with suppress(OSError, SyntaxError, ValueError, TypeError):
        for node in ast.walk(ast.parse(inspect.getsource(step.function))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
