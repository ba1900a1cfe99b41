"""Find what was changed in a database by hand: what its revisions do not say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from ..base.drift import Change, Drift, Drifted
from ..base.errors import (
    DatabaseUnreachable,
    LockNotObtained,
    PendingMigrations,
    SettingsError,
    UsageError,
)
from ..base.results import VersionTable
from ..base.spelling import nearest
from ..bridge.connection import shared_engine
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.place import version_table
from ..bridge.version_row import aside
from ..bridge.version_table import examine, read_each
from ..database.catalogue import (
    ORDER,
    Catalogue,
    Difference,
    SchemaObject,
    differences,
    end_of_schema,
)
from ..database.making_order import KINDS, is_named_only
from ..database.natural_differences import Schema, is_ignored, schema_of, without_natural
from ..database.renamed_tables import renamed_tables, with_names_of
from ..revisions import answers
from ..revisions.history import standing
from .scratch import in_scratch, scratch

#: How often the database is looked at while others migrate it.
_TRIES = 3


@dataclass(frozen=True)
class Expected:
    """What a database has to look like that stands at `rows`.

    It can be compared with many databases. `version_table` is the schema and the name of the one
    that they have.
    """

    rows: tuple[str, ...]
    schema: Schema
    version_table: tuple[str | None, str]


def drift(context: RunContext, *, scratch_url: str | None = None) -> Drift:
    """Compare the database with a scratch database at the same revisions. It is only read.

    What is pending doesn't count. No lock is taken; where revisions are applied meanwhile, it is
    compared again.

    Raises DatabaseAhead when it stands at revisions that the code lacks, DatabaseUnreachable when
    there is none, UsageError when `env.py` opens several, LockNotObtained when its revisions change
    all the time, and what `scratch` raises.
    """
    ignored = _ignored(context)
    history = load_history(context, context.reading)
    with shared_engine(context):
        tables = read_each(context, history.script)
        history = settled(context, history)
        _require_one(history, tables)
        table = tables[0]
        for _ in range(_TRIES):
            expected = expected_schema(context, table.rows, scratch_url=scratch_url)
            table, found, now = _look(context, history.script)
            if set(table.rows) == set(expected.rows) == set(now):
                _tell_releases(context, expected.schema.release, found.release)
                compared = compare(expected, found, ignored)
                where = standing(history, table.rows)
                return Drift(table, where, *compared, _named_only(found))
    raise LockNotObtained(
        "The database is migrated by another run: its revisions changed while it was looked at.",
        hint="type the command again when the other run is done.",
    )


def _ignored(context: RunContext) -> tuple[str, ...]:
    """Return the patterns of `migrate.drift_ignore`. Raises SettingsError for an unknown kind."""
    patterns = context.settings.options.drift_ignore
    for pattern in patterns:
        first = pattern.split()[0]
        is_open = not {"*", "?", "["}.isdisjoint(first)
        if not is_open and not pattern.startswith(tuple(f"{kind} " for kind in KINDS)):
            near = nearest(first, KINDS)
            raise SettingsError(
                f"`migrate.drift_ignore` has `{pattern}`, which does not begin with a kind of"
                " object and a blank. So it would ignore nothing.",
                hint=f"did you mean the kind `{near}`? It is followed by a name, as in `table"
                " public.old_*`."
                if near
                else "write `KIND NAME`, as in `table public.old_*`. The kinds:"
                f" {', '.join(KINDS)}; or `*` for any.",
            )
    return patterns


def expected_schema(
    context: RunContext,
    target: str | tuple[str, ...] = "heads",
    *,
    scratch_url: str | None = None,
) -> Expected:
    """Return what a database at `target` looks like, from a scratch database.

    A tuple holds the rows of a version table. Raises what `scratch` raises.
    """
    with (
        scratch(context, target, scratch_url=scratch_url) as made,
        in_scratch(context, made.url) as there,
    ):
        table, schema, rows = _look(there, load_history(there, context.reading).script)
    return Expected(rows, schema, (table.schema, table.name))


def found_schema(expected: Expected, connection: Connection) -> Schema:
    """Return the schema of a database that has to look as `expected`, which is only read.

    Raises PendingMigrations when it stands at other revisions.
    """
    schema, name = expected.version_table
    column: sa.ColumnClause[str] = sa.column("version_num")
    is_there = sa.inspect(connection).has_table(name, schema=schema)
    asked = sa.select(column).select_from(sa.table(name, schema=schema))
    rows = tuple(connection.execute(asked).scalars()) if is_there else ()
    if set(rows) != set(expected.rows):
        ones, others = (", ".join(sorted(each)) or "base" for each in (rows, expected.rows))
        raise PendingMigrations(
            f"The database stands at {ones}, and can't be compared with one at {others}.",
            hint="migrate it first, or compare it with `expected_schema` of where it stands.",
        )
    return schema_of(connection, expected.version_table)


def compare(
    expected: Expected, found: Schema, ignored: Sequence[str] = ()
) -> tuple[tuple[Drifted, ...], int]:
    """Return how a database differs, and how many differences are `ignored`, by their patterns."""
    wanted, there = catalogues = without_natural(expected.schema, found)
    renamed = {
        name: to
        for name, to in renamed_tables(wanted, there).items()
        if not any(is_ignored(each, catalogues, ignored) for each in _both(name, to, *catalogues))
    }
    if renamed:
        there = with_names_of(there, renamed)
    # A column that a statement adds again is the last one: no statement could undo that.
    every = [each for each in differences(wanted, there) if each.kind != ORDER]
    told = []
    for each in every:
        side = each.expected or each.found
        assert side is not None  # noqa: S101 - a difference has a side
        if not is_ignored(side, (wanted, there), ignored):
            told.append(each)
    if expected.schema.owner and told:
        from ..database.undoing_postgresql import undo_all
    else:
        from ..database.undo_sqlite import undo_all
    undone = undo_all(told, wanted, there)
    drifted = (_drifted(*each) for each in zip(told, undone, strict=True))
    return (*map(_renamed, renamed, renamed.values()), *drifted), len(every) - len(told)


def _both(name: str, to: str, wanted: Catalogue, there: Catalogue) -> tuple[SchemaObject, ...]:
    return wanted["table", name], there["table", to]


def _renamed(name: str, to: str) -> Drifted:
    statement = f"ALTER TABLE {to} RENAME TO {name[end_of_schema(name) :]}"
    return Drifted("table", name, "changed", (("name", name, to),), (statement,), "")


def _drifted(difference: Difference, undone: tuple[Sequence[str], str]) -> Drifted:
    one, other = difference.expected, difference.found
    change: Change = "added" if one is None else "missing" if other is None else "changed"
    facts = tuple((fact, _fact(one, fact), _fact(other, fact)) for fact in difference.changed)
    return Drifted(difference.kind, difference.name, change, facts, tuple(undone[0]), undone[1])


def _named_only(found: Schema) -> tuple[tuple[str, int], ...]:
    counts = Counter(kind for kind, _ in found.catalogue if is_named_only(kind))
    return tuple(sorted(counts.items()))


def _fact(one: SchemaObject | None, fact: str) -> str | None:
    return one.facts.get(fact) if one else None


def _tell_releases(context: RunContext, expected: int, found: int) -> None:
    if expected != found:
        context.watcher.notice(
            f"the scratch database is one of PostgreSQL {expected}, and the database of {found}."
            " They may write the same definition in other words; `--scratch-url` names a server."
        )


def _require_one(history: ScriptHistory, tables: Sequence[VersionTable]) -> None:
    answers.require_any(tables, "compare with its revisions")
    answers.require_known(history, tables)
    if len(tables) > 1:
        raise UsageError(
            f"env.py opens {len(tables)} databases or schemas, and `drift` compares one.",
            hint="let env.py open one of them, as by `-x tenant=NAME`.",
        )
    if path := tables[0].missing_file:
        raise DatabaseUnreachable(
            f"The database file {path} does not exist, so there is nothing to compare with.",
            hint="`{cmd} upgrade` makes it.",
            retryable=False,
        )


def _look(
    context: RunContext, script: ScriptDirectory
) -> tuple[VersionTable, Schema, tuple[str, ...]]:
    """Return the version table, the schema, and the version rows after it was read."""

    def take(
        rows: Sequence[Any], migration_context: MigrationContext
    ) -> tuple[VersionTable, Schema, tuple[str, ...]]:
        table = version_table(migration_context, rows)
        with aside(migration_context) as connection:
            found = schema_of(connection, (table.schema, table.name))
        return table, found, tuple(migration_context.get_current_heads())

    return examine(context, script, take)[0]
