"""Run SQL that is whole: names and values stand in it, quoted, and no parameters."""

from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.engine import Connection

from .listening import OF_THE_RUN


def run_whole(connection: Connection, sql: str) -> CursorResult[Any]:
    """Run `sql`, which is no revision's.

    A `%` in it is itself, where a driver would take it for a parameter.
    """
    return connection.exec_driver_sql(
        sql, execution_options={"no_parameters": True, OF_THE_RUN: True}
    )
