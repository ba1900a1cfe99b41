"""The operations of a revision that is to be written, in words."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import Column, Constraint, DefaultClause, Index, Table

from ..base.errors import SettingsError

#: How long a message that is made of several operations may become.
_LONGEST = 50
_ON_TABLE = (ops.CreateIndexOp, ops.DropIndexOp, ops.AddConstraintOp, ops.DropConstraintOp)


def leaves(containers: Iterable[ops.OpContainer]) -> Iterator[ops.MigrateOperation]:
    """Yield the operations in `containers`, and not what only holds others."""
    for container in containers:
        for each in container.ops:
            if isinstance(each, ops.OpContainer):
                yield from leaves([each])
            else:
                yield each


def described(operation: ops.MigrateOperation) -> list[str]:
    """Return what `operation` does, in a line or several."""
    if isinstance(operation, ops.AlterColumnOp):
        return _altered(operation)
    if isinstance(operation, ops.RenameTableOp):
        new = _table(operation.schema, operation.new_table_name)
        return [f"rename table {table_of(operation)} to {new}"]
    if isinstance(operation, ops.AddColumnOp):
        return [f"add column {table_of(operation)}.{operation.column.name}"]
    if isinstance(operation, ops.DropColumnOp):
        return [f"remove column {table_of(operation)}.{operation.column_name}"]
    if isinstance(operation, ops.CreateTableOp):
        return [f"add table {table_of(operation)}"]
    if isinstance(operation, ops.DropTableOp):
        return [f"remove table {table_of(operation)}"]
    if isinstance(operation, ops.ExecuteSQLOp):
        return [f"execute {' '.join(str(operation.sqltext).split())}"]
    # An operation of somebody else's may have no tuple, or one that fails. Alembic's own has none
    # where it knows nothing but the name of what it drops.
    with suppress(Exception):
        verb, *what = operation.to_diff_tuple()
        return [_of_tuple(verb.replace("_", " "), what)]
    return [_by_name(operation)]


def require_renderers(operations: Iterable[ops.MigrateOperation]) -> None:
    """Raise SettingsError where Alembic has no way to write one of `operations` to a file."""
    for each in operations:
        try:
            renderers.dispatch(each)
        except ValueError:
            raise SettingsError(
                "No revision was written: nothing tells Alembic how to write the operation"
                f" `{type(each).__name__}` ({described(each)[0]}).",
                hint="register a function for it with"
                " `alembic.autogenerate.renderers.dispatch_for`, in env.py.",
            ) from None


def message_of(operations: Iterable[ops.MigrateOperation]) -> str:
    """Return a message for a revision of `operations`, such as `add users.email`."""
    found = list(operations)
    whole = {table_of(each) for each in found if _is_whole_table(each)}
    parts = [
        _summary(each)
        for each in found
        if not (isinstance(each, _ON_TABLE) and table_of(each) in whole)
    ]
    message = ""
    for part in dict.fromkeys(parts):
        longer = f"{message}, {part}" if message else part
        if message and len(longer) > _LONGEST:
            return f"{message} and more"
        message = longer
    return message


def table_of(operation: ops.MigrateOperation) -> str:
    """Return the name of the table that `operation` changes, with its schema if it has one."""
    return _table(getattr(operation, "schema", None), getattr(operation, "table_name", None) or "")


def _table(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else str(name)


def _is_whole_table(operation: ops.MigrateOperation) -> bool:
    return isinstance(operation, ops.CreateTableOp | ops.DropTableOp)


def _altered(operation: ops.AlterColumnOp) -> list[str]:
    column = f"{table_of(operation)}.{operation.column_name}"
    changes: list[tuple[str, object, object]] = []
    if operation.modify_type is not None:
        changes.append(("type", operation.existing_type, operation.modify_type))
    if operation.modify_nullable is not None:
        changes.append(("nullable", operation.existing_nullable, operation.modify_nullable))
    if operation.modify_server_default is not False:
        existing, wanted = operation.existing_server_default, operation.modify_server_default
        changes.append(("default", None if existing is False else existing, wanted))
    if operation.modify_comment is not False:
        changes.append(("comment", operation.existing_comment, operation.modify_comment))
    name = operation.modify_name
    lines = [] if name is None else [f"rename column {column} to {name}"]
    lines += [
        f"modify {what} of {column}: {_value(existing)} -> {_value(wanted)}"
        for what, existing, wanted in changes
    ]
    return lines or [f"modify column {column}"]


def _of_tuple(verb: str, what: list[Any]) -> str:
    thing = next((each for each in [*what[:1], *what[-1:]] if not isinstance(each, str)), None)
    if isinstance(thing, Table):
        return f"{verb} {thing.fullname}"
    if isinstance(thing, Column):
        return f"{verb} {_table(thing.table.schema, thing.table.name)}.{thing.name}"
    if isinstance(thing, Index | Constraint):
        table = getattr(thing, "table", None)
        columns = ", ".join(column.name for column in getattr(thing, "columns", ()))
        on = f" on {table.fullname}" if table is not None else ""
        return f"{verb} {thing.name or '(unnamed)'}{on}{f' ({columns})' if columns else ''}"
    return f"{verb} {', '.join(map(str, what))}".rstrip()


def _by_name(operation: ops.MigrateOperation) -> str:
    """Return what the class of `operation` is called, and what it changes."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(operation).__name__.removesuffix("Op")).lower()
    if isinstance(operation, ops.DropConstraintOp):
        words = "remove constraint"
    name = next(
        (
            value
            for key, value in vars(operation).items()
            if key.endswith("name") and key != "table_name" and isinstance(value, str)
        ),
        "",
    )
    table = table_of(operation)
    if not name:
        return f"{words} {table}".rstrip()
    return f"{words} {name}{f' on {table}' if table else ''}"


def _summary(operation: ops.MigrateOperation) -> str:
    if isinstance(operation, ops.CreateTableOp):
        return f"create {table_of(operation)}"
    if isinstance(operation, ops.AlterColumnOp) and operation.modify_name is None:
        return f"alter {table_of(operation)}.{operation.column_name}"
    line = described(operation)[0]
    # What an index or a constraint is for is said by its name.
    line = re.sub(r" on \S+( \(.*\))?$", "", line) if isinstance(operation, _ON_TABLE) else line
    if isinstance(operation, ops.ExecuteSQLOp):
        return "execute SQL"
    return re.sub(r"^(add|remove|rename) (table|column|index|constraint|fk) ", r"\1 ", line)


def _value(value: object) -> str:
    """Return a column's attribute as text; for a server default, its SQL."""
    if isinstance(value, DefaultClause):
        return f"'{value.arg}'" if isinstance(value.arg, str) else str(value.arg)
    return repr(value)
