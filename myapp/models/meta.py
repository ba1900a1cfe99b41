"""The base of every model."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from ..naming import NAMING_CONVENTION


class Base(DeclarativeBase):
    """What every model derives from."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
