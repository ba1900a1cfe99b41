"""What makes, changes and drops an enum of PostgreSQL, both ways, as a revision has it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import AlterColumnOp, MigrateOperation

from ..base.quoting import literal


class EnumType(NamedTuple):
    """An enum; `schema` is None for the default one. `is_ours`: the models want it to be made."""

    schema: str | None
    name: str
    labels: tuple[str, ...]
    is_ours: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it, and can be sorted."""
        return self.schema or "", self.name

    @property
    def title(self) -> str:
        """Its name for people."""
        return ".".join(filter(None, self.key))


class User(NamedTuple):
    """A column that has the enum, or an array of it, for its type."""

    schema: str | None
    table: str
    column: str
    is_array: bool
    default: str | None


class EnumOp(MigrateOperation):
    """Statements for one enum. `title` says what they do.

    `undo` has the title and the statements for the way back. `is_apart`: what follows needs them to
    be committed.
    """

    def __init__(
        self,
        title: str,
        statements: Sequence[str],
        undo: tuple[str, Sequence[str]],
        *,
        is_apart: bool = False,
    ) -> None:
        self.title, self.statements, self.undo = title, statements, undo
        self.is_apart = is_apart

    def reverse(self) -> "EnumOp":
        """Return the operation for the way back, which nothing follows that needs it."""
        return EnumOp(*self.undo, (self.title, self.statements))

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return the verb, and what it is about."""
        verb, _, what = self.title.partition(" ")
        return verb, what


@renderers.dispatch_for(EnumOp)
def _render(autogen_context: AutogenContext, op: EnumOp) -> list[str]:
    prefix = autogen_context.opts["alembic_module_prefix"]
    # Alembic takes `:name` for a parameter, but not `::type`.
    escaped = (re.sub(r"(?<![:\w\\]):(?=\w+(?!:))", r"\\:", sql) for sql in op.statements)
    lines = [f"{prefix}execute({sql!r})" for sql in escaped]
    # The empty line ends the block.
    return [f"with {prefix}get_context().autocommit_block():", *lines, ""] if op.is_apart else lines


class EnumWriter:
    """Writes the operations; `quote` is the dialect's, for a name."""

    def __init__(self, quote: Callable[[str], str]) -> None:
        self._quote = quote

    def add(self, enum: EnumType, *, is_implied: bool) -> EnumOp:
        """Make a type. If `is_implied`, a `create_table` makes it; a `drop_table` drops none."""
        labels = ", ".join(map(literal, enum.labels))
        return EnumOp(
            f"add enum {enum.title} ({labels})",
            [] if is_implied else [self._create(enum)],
            (f"remove enum {enum.title}", [f"DROP TYPE {self._named(enum)}"]),
        )

    def change(
        self, before: EnumType, after: EnumType, users: Sequence[User], *, is_used: bool
    ) -> EnumOp:
        """Add what is missing, or make the type of `users` again where a value has to go.

        `is_used`: the same revision uses a new value. PostgreSQL allows that once it is committed.
        """
        is_apart = is_used and set(before.labels) <= set(after.labels)
        statements = self._changed(before, after, users)
        if is_apart:  # it stays where the rest fails, and the revision is run again
            statements = [
                each.replace("ADD VALUE", "ADD VALUE IF NOT EXISTS", 1) for each in statements
            ]
        return EnumOp(
            _title(before, after),
            statements,
            (_title(after, before), self._changed(after, before, users)),
            is_apart=is_apart,
        )

    def cast(
        self, op: AlterColumnOp, before: tuple[str, str | None], after: tuple[str, str | None]
    ) -> EnumOp:
        """Give a column another type and default, by way of text."""
        what = f"modify type of {self._dotted(op.schema, op.table_name)}.{op.column_name}"

        def way(old: tuple[str, str | None], new: tuple[str, str | None]) -> tuple[str, list[str]]:
            user = User(op.schema, op.table_name, op.column_name, False, old[1])
            names = [f"{name} DEFAULT {sql}" if sql else name for name, sql in (old, new)]
            return f"{what}: {' -> '.join(names)}", list(self._moved(user, *new))

        return EnumOp(*way(before, after), way(after, before))

    def _changed(self, before: EnumType, after: EnumType, users: Sequence[User]) -> list[str]:
        name = self._named(before)
        if set(before.labels) <= set(after.labels):
            return [
                f"ALTER TYPE {name} ADD VALUE {literal(label)}{_place(label, before, after)}"
                for label in after.labels
                if label not in before.labels
            ]
        # PostgreSQL can't take a value out. A row that has it ends the revision with an error.
        old = EnumType(before.schema, f"{before.name}_old"[-63:], before.labels)
        return [
            f"ALTER TYPE {name} RENAME TO {self._quote(old.name)}",
            self._create(EnumType(before.schema, before.name, after.labels)),
            *(
                line
                for user in users
                for line in self._moved(user, f"{name}{'[]' * user.is_array}", user.default)
            ),
            f"DROP TYPE {self._named(old)}",
        ]

    def _moved(self, user: User, to: str, default: str | None) -> Iterator[str]:
        table, column = self._dotted(user.schema, user.table), self._quote(user.column)
        alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
        if user.default:
            yield f"{alter} DROP DEFAULT"
        yield f"{alter} TYPE {to} USING {column}::text{'[]' * user.is_array}::{to}"
        if default:
            yield f"{alter} SET DEFAULT {default}"

    def _create(self, enum: EnumType) -> str:
        return f"CREATE TYPE {self._named(enum)} AS ENUM ({', '.join(map(literal, enum.labels))})"

    def _named(self, enum: EnumType) -> str:
        return self._dotted(enum.schema, enum.name)

    def _dotted(self, *names: str | None) -> str:
        return ".".join(self._quote(name) for name in names if name)


def _title(before: EnumType, after: EnumType) -> str:
    added = [f"add {literal(label)}" for label in after.labels if label not in before.labels]
    gone = [f"remove {literal(label)}" for label in before.labels if label not in after.labels]
    return f"change enum {before.title}: {', '.join(added + gone)}"


def _place(label: str, before: EnumType, after: EnumType) -> str:
    """Return where a new value goes; PostgreSQL puts it at the end if that isn't said."""
    following = after.labels[after.labels.index(label) + 1 :]
    place = next((each for each in following if each in before.labels), None)
    return f" BEFORE {literal(place)}" if place else ""
