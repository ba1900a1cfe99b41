"""The application's views: its page."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

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
    config.add_route("home", "/")
    config.add_view(home, route_name="home", request_method="GET")


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


def _read_names(session: Session) -> Sequence[str] | None:
    if _is_missing(session):
        return None
    return session.scalars(select(User.name).order_by(User.name)).all()


def _is_missing(session: Session) -> bool:
    """Tell whether the database is an SQLite file that isn't there: connecting would create it."""
    engine = session.get_bind()
    file = sqlite_file(engine.url) if isinstance(engine, Engine) else None
    return file is not None and is_absent(file)


def _log(error: SQLAlchemyError) -> None:
    # Only the kind of error: its text may hold parts of the URL.
    cause = getattr(error, "orig", None) or error
    logger.warning("The database can't be read: %s.", type(cause).__name__)
