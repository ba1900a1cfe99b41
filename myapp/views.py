"""What the application answers: its page, and whether its database fits its code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pyramid.response import Response
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .migrator.database.absence import is_absent
from .migrator.database.url import sqlite_file
from .models import User

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

logger = logging.getLogger(__name__)

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>myapp</title></head>
<body>
<h1>Users</h1>
{body}
</body>
</html>
"""


def includeme(config: Configurator) -> None:
    """Add the application's routes and views."""
    config.registry["script"] = _open_script(config.get_settings())
    config.add_route("home", "/")
    config.add_view(home, route_name="home", request_method="GET")
    config.add_route("health", "/health")
    config.add_view(
        health, route_name="health", request_method="GET", renderer="json", http_cache=0
    )


def home(request: Request) -> Response:
    """Show the users' names."""
    try:
        names = _read_names(request.dbsession)
    except SQLAlchemyError as error:
        _log(error)
        names = None
    if names is None:
        body = "<p>The database is not ready yet. Please come back in a moment.</p>"
        return Response(PAGE.format(body=body), status=503)
    items = "".join(f"<li>{escape(name)}</li>\n" for name in names)
    body = f"<ul>\n{items}</ul>" if names else "<p>There are no users yet.</p>"
    return Response(PAGE.format(body=body))


def health(request: Request) -> dict[str, Any]:
    """Tell where the database stands; one that is behind the code, or can't be asked, answers 503.

    One that is ahead does not: a deploy that goes back to older code must get through.
    """
    script: ScriptDirectory = request.registry["script"]
    database: Sequence[str] = ()
    try:
        database = _read_revisions(request.dbsession, request.registry.settings)
        status = _compare(script, database)
    except SQLAlchemyError as error:
        _log(error)
        status = "unreachable"
    if status in ("pending", "unreachable"):
        request.response.status = 503
    return {"status": status, "database": sorted(database), "code": sorted(script.get_heads())}


def _open_script(settings: Mapping[str, str]) -> ScriptDirectory:
    """Open the code's revisions, which Alembic reads once: a running process keeps its code."""
    config = Config()
    for key, value in settings.items():
        if key.startswith("alembic."):
            config.set_main_option(key.removeprefix("alembic."), value.replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _read_names(session: Session) -> Sequence[str] | None:
    if _is_missing(session):
        return None
    return session.scalars(select(User.name).order_by(User.name)).all()


def _read_revisions(session: Session, settings: Mapping[str, str]) -> Sequence[str]:
    if _is_missing(session):
        return ()
    options = ("version_table", "version_table_schema")
    opts = {key: settings[f"alembic.{key}"] for key in options if settings.get(f"alembic.{key}")}
    return MigrationContext.configure(session.connection(), opts=opts).get_current_heads()


def _is_missing(session: Session) -> bool:
    """Tell whether the database is an SQLite file that isn't there: connecting would create it."""
    engine = session.get_bind()
    file = sqlite_file(engine.url) if isinstance(engine, Engine) else None
    return file is not None and is_absent(file)


def _compare(script: ScriptDirectory, database: Sequence[str]) -> str:
    known = {revision.revision for revision in script.walk_revisions()}
    if not known.issuperset(database):
        return "ahead"
    # Heads can't be compared as they are: a head that another one depends on doesn't stand in the
    # database beside it.
    pending = script.iterate_revisions("heads", tuple(database), implicit_base=True)
    return "ok" if next(iter(pending), None) is None else "pending"


def _log(error: SQLAlchemyError) -> None:
    # Only the kind of error: its text may hold parts of the URL.
    cause = getattr(error, "orig", None) or error
    logger.warning("The database can't be read: %s.", type(cause).__name__)
