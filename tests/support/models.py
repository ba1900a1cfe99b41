"""An application's models, as a module that `alembic.target_metadata` names."""

from typing import Protocol

SETTING = "alembic.target_metadata"
ID = "Column('id', Integer, primary_key=True)"
HEAD = """\
from sqlalchemy import *
from sqlalchemy.dialects import postgresql

metadata = MetaData()
"""


class MakeModels(Protocol):
    """The fixture `make_models`."""

    def __call__(self, code: str) -> str: ...


def table(*columns: str, name: str = "a") -> str:
    """Return the code of a table for `make_models`."""
    return f"Table({name!r}, metadata, {', '.join(columns)})\n"
