"""The application's models, and the session in which a request reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import engine_from_config
from sqlalchemy.orm import Session, configure_mappers, sessionmaker

from ..migrator.database.url import engine_url
from .meta import Base
from .user import User

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

__all__ = ["Base", "User", "includeme"]

# Find a mistake in a relationship at import, not in the first request that uses it.
configure_mappers()


def includeme(config: Configurator) -> None:
    """Give each request a database session, `request.dbsession`, without connecting yet."""
    settings = dict(config.get_settings())
    settings["sqlalchemy.url"] = engine_url(settings["sqlalchemy.url"])
    # When the database has restarted, the pooled connections of a worker are dead.
    settings.setdefault("sqlalchemy.pool_pre_ping", "true")
    engine = engine_from_config(settings, "sqlalchemy.")
    config.registry["dbsession_factory"] = sessionmaker(engine)
    config.add_request_method(_open_session, "dbsession", reify=True)


def _open_session(request: Request) -> Session:
    session: Session = request.registry["dbsession_factory"]()
    request.add_finished_callback(lambda request: session.close())
    return session
