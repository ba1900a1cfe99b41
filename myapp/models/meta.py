"""The base of every model."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

# A migration can only drop or change a constraint whose name it knows, and databases make up
# different names for those that have none.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every model derives from."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
