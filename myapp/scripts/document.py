"""From a result or an error to the JSON document that docs/json.md describes."""

from collections.abc import Callable
from dataclasses import asdict
from functools import singledispatch
from typing import Any

from ..migrator.base.errors import MigrateError
from ..migrator.base.results import (
    Agreement,
    Branch,
    HistoryReport,
    NewRevisions,
    Repair,
    Revision,
    Run,
    Scaffold,
    Stamp,
    Standing,
)

#: These are ids and paths from the code, shown as they are, even if one equals a password.
_NO_SECRETS = {
    "candidates",
    "done",
    "heads",
    "nearest",
    "not_begun",
    "not_recorded",
    "path",
    "paths",
    "pending",
    "revision",
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
    """Return the document of a command that failed.

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
    return {"command": command, "ok": False, "error": told | details}


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, list | tuple):
        return [_redacted(each, redact) for each in value]
    return value if value is None or isinstance(value, int) else redact(str(value))


@singledispatch
def _fields(result: Any) -> dict[str, Any]:
    raise TypeError(f"no JSON for {type(result).__name__}")


@_fields.register
def _(result: str) -> dict[str, Any]:
    return {"sql": result}


@_fields.register(dict)
def _(result: dict[str, Any]) -> dict[str, Any]:
    found = result["templates"].items()
    return {"templates": [{"name": name, "description": text} for name, text in found]}


@_fields.register(Agreement)
@_fields.register(Scaffold)
def _(result: Agreement | Scaffold) -> dict[str, Any]:
    return asdict(result)


@_fields.register
def _(result: Run) -> dict[str, Any]:
    steps = [
        _fields(step.revision) | {"seconds": round(step.seconds or 0, 6)} for step in result.steps
    ]
    return {
        "direction": result.direction,
        "target": result.target,
        "before": result.before,
        "after": result.after,
        "steps": steps,
        "is_past": result.is_past,
    }


@_fields.register
def _(result: Stamp) -> dict[str, Any]:
    return {"before": result.before, "after": result.after}


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
def _(result: Standing) -> dict[str, Any]:
    return {
        "database": result.database,
        "heads": result.heads,
        "current": [_fields(revision) for revision in result.current],
        "pending": result.pending,
        "at_head": not result.pending,
    }


@_fields.register
def _(result: HistoryReport) -> dict[str, Any]:
    revisions = [_fields(marked.revision) | {"state": marked.state} for marked in result.revisions]
    return {"revisions": revisions, "unmarked": result.unmarked}


@_fields.register
def _(result: NewRevisions) -> dict[str, Any]:
    revisions = [_fields(revision) for revision in result.revisions]
    return {
        "revisions": revisions,
        "operations": result.operations,
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
