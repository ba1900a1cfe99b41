"""The people who use the application."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class User(Base):
    """A person who uses the application."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(255), index=True, unique=True)
