"""From a result or an error to the JSON document that docs/json.md describes."""

from collections.abc import Callable
from dataclasses import asdict
from functools import singledispatch
from typing import Any

from ..migrator.base.errors import MigrateError
from ..migrator.base.repairs import Repair
from ..migrator.base.results import (
    Agreement,
    Branch,
    CurrentRevisions,
    HistoryReport,
    NewRevisions,
    OfDatabases,
    Revision,
    Run,
    Scaffold,
    Stamp,
    Status,
    Step,
)

#: These are ids and paths from the code, shown as they are, even if one equals a password.
_NO_SECRETS = {
    "candidates",
    "current",
    "done",
    "fork",
    "heads",
    "nearest",
    "not_begun",
    "not_recorded",
    "path",
    "paths",
    "pending",
    "revision",
    "rows",
    "unknown",
}


def result_document(command: str | None, result: object) -> dict[str, Any]:
    """Return the document of a command that did its work."""
    if isinstance(result, tuple):
        key = "branches" if command == "branches" else "revisions"
        fields = {key: [_fields(each) for each in result]}
    else:
        fields = _fields(result)
    return {"command": command, "ok": True} | fields


def error_document(
    command: str | None, error: MigrateError, hint: str, redact: Callable[[str], str]
) -> dict[str, Any]:
    """Return the document of a command that failed, with the SQL that it had written.

    `redact` takes the secrets out of text. `hint` has none any more.
    """
    details = {
        name: value if name in _NO_SECRETS else _redacted(value, redact)
        for name, value in error.details.items()
    }
    told = {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": redact(error.message),
        "hint": hint or None,
    }
    sql = {"sql": error.sql} if error.sql else {}
    return {"command": command, "ok": False, "error": told | details} | sql


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, Status):
        return {
            name: each if name in _NO_SECRETS else _redacted(each, redact)
            for name, each in _fields(value).items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(each, redact) for each in value]
    return value if value is None or isinstance(value, int) else redact(str(value))


@singledispatch
def _fields(result: Any) -> dict[str, Any]:
    fields: dict[str, Any] = result.document()  # a kind of which few runs know
    return fields


@_fields.register
def _(result: str) -> dict[str, Any]:
    return {"sql": result}


@_fields.register(dict)
def _(result: dict[str, Any]) -> dict[str, Any]:
    found = result["templates"].items()
    return {"templates": [{"name": name, "description": text} for name, text in found]}


@_fields.register
def _(result: Scaffold) -> dict[str, Any]:
    return asdict(result)


@_fields.register
def _(result: Agreement) -> dict[str, Any]:
    return {"rows": result.rows} | _databases(result)


@_fields.register
def _(result: Status) -> dict[str, Any]:
    return {
        "database": result.table.database,
        "schema": result.table.schema,
        "rows": result.rows,
        "current": result.current,
        "pending": result.pending,
    }


def _databases(result: OfDatabases) -> dict[str, Any]:
    return {"databases": [_fields(status) for status in result.databases]}


def _change(result: Run | Stamp) -> dict[str, Any]:
    told = {"before": result.before, "after": result.after, "database": result.database}
    return told | _databases(result)


@_fields.register
def _(result: Run) -> dict[str, Any]:
    return {
        "direction": result.direction,
        "target": result.target,
        "steps": [_fields(step) for step in result.steps],
        "is_past": result.is_past,
    } | _change(result)


@_fields.register
def _(result: Step) -> dict[str, Any]:
    return _fields(result.revision) | {
        "seconds": round(result.seconds or 0, 6),
        "database": result.table.database,
        "schema": result.table.schema,
    }


@_fields.register
def _(result: Stamp) -> dict[str, Any]:
    return _change(result)


@_fields.register
def _(result: Repair) -> dict[str, Any]:
    tables = [
        {
            "table": each.table,
            "before": each.before,
            "after": each.after,
            "rows": [asdict(row) for row in each.rows],
            "widths": each.widths,
        }
        for each in result.tables
    ]
    return {"is_changed": result.is_needed, "tables": tables}


@_fields.register
def _(result: CurrentRevisions) -> dict[str, Any]:
    return {
        "database": result.database,
        "rows": result.rows,
        "current": [_fields(revision) for revision in result.current],
        "pending": result.pending,
        "at_head": not result.pending,
    } | _databases(result)


@_fields.register
def _(result: HistoryReport) -> dict[str, Any]:
    revisions = [_fields(marked.revision) | {"state": marked.state} for marked in result.revisions]
    return {"revisions": revisions, "unmarked": result.unmarked} | _databases(result)


@_fields.register
def _(result: NewRevisions) -> dict[str, Any]:
    revisions = [_fields(revision) for revision in result.revisions]
    return {
        "revisions": revisions,
        "operations": result.operations,
        "losses": result.losses,
        "possible_renames": result.possible_renames,
        "sql": result.sql or None,
    }


@_fields.register
def _(result: Branch) -> dict[str, Any]:
    followers = [_fields(revision) for revision in result.next_revisions]
    return _fields(result.revision) | {"followers": followers}


@_fields.register
def _(result: Revision) -> dict[str, Any]:
    return asdict(result) | {
        "created": result.created and result.created.isoformat(),
        "is_branch_point": result.is_branch_point,
        "is_merge_point": result.is_merge_point,
    }
