"""Texts of revision files, and what Alembic finds in a file by running it."""

from pathlib import Path

from alembic.script import Script, ScriptDirectory

from myapp.migrator.revisions.facts import RevisionFile

#: What Alembic's generic template has written since 2023.
ALEMBIC = '''\
"""add users

Revision ID: ae1027a6acf
Revises: 1975ea83b712
Create Date: 2024-01-01 00:00:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = 'ae1027a6acf'
down_revision: Union[str, Sequence[str], None] = '1975ea83b712'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("""
        SELECT 1
    """)


def downgrade() -> None:
    """Downgrade schema."""
    pass
'''

#: What this package's template writes.
OURS = '''\
"""Add users

Revision ID: ae1027a6acf
Revises: 1975ea83b712
Create Date: 2024-01-01 00:00:00.000000

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision: str = "ae1027a6acf"
down_revision: str | Sequence[str] | None = ("1975ea83b712", "2975ea83b712")
branch_labels: str | Sequence[str] | None = ("users", "people")
depends_on: str | Sequence[str] | None = "3975ea83b712"


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table("users", sa.Column("id", sa.Integer(), nullable=False))


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("users")
'''

#: What Alembic's template wrote up to version 0.8.
OLD = '''\
"""merge

Revision ID: 11
Revises: aa, bb
"""

# revision identifiers, used by Alembic.
revision = '11'
down_revision = ('aa', 'bb')
branch_labels = ("x", )
depends_on = None

from alembic import op
import sqlalchemy as sa


def upgrade():
    for revision in ("a", "b"):
        op.execute(f"select {revision}")


def downgrade():
    pass
'''

#: A data migration with code of its own around the variables.
CUSTOM = """\
# -*- coding: utf-8 -*-
import os
LEVELS = [1, 2]
NAMES = {"a": 1}


def helper(function=None, *args):
    return function


revision = "r1"


@helper
def other(): pass


down_revision = None


class Old:
    x = 1


upgrade = lambda: None
if LEVELS:
    y = os.sep
"""

ALL = {"alembic": ALEMBIC, "ours": OURS, "old": OLD, "custom": CUSTOM}

_DATA = """\


logger = logging.getLogger("alembic.data")
Base = declarative_base()
Session = sessionmaker()
users = sa.table("users", sa.column("id", sa.Integer), sa.column("name", sa.String))
kind = sa.Enum("a", "b", name="kind")


class User(Base):
    __tablename__ = "users"

    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50))


"""

#: What data migrations in public projects have at module level.
SHAPES = {
    "a model after the variables": ALEMBIC.replace(
        "import sqlalchemy as sa\n",
        "import logging\n\nimport sqlalchemy as sa\n"
        "from sqlalchemy.orm import declarative_base, sessionmaker\n",
    ).replace("depends_on: Union[str, Sequence[str], None] = None\n", "depends_on = None" + _DATA),
    "a model before the variables": ALEMBIC.replace(
        "import sqlalchemy as sa\n",
        "import logging\n\nimport sqlalchemy as sa\n"
        "from sqlalchemy.orm import declarative_base, sessionmaker\n" + _DATA,
    ),
    "a model with the variables' names": ALEMBIC.replace(
        "import sqlalchemy as sa\n",
        "import sqlalchemy as sa\nfrom sqlalchemy.orm import declarative_base\n",
    ).replace(
        "\n\ndef upgrade",
        "\n\nclass Page(declarative_base()):\n    __tablename__ = 'pages'\n"
        "    revision = sa.Column(sa.String(12), primary_key=True)\n\n\ndef upgrade",
    ),
}

Facts = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...], str]


def facts_of(file: RevisionFile) -> Facts:
    """Return what the reader found, to compare with `facts_by_running`."""
    return (
        file.path,
        file.revision,
        file.down_revision,
        file.depends_on,
        file.branch_labels,
        file.doc,
    )


def facts_by_running(path: Path) -> Facts:
    """Let Alembic run the file; raise what it raises."""
    script = Script._from_path(ScriptDirectory(str(path.parent)), path)
    assert script is not None
    return facts_of_script(script)


def facts_of_script(script: Script) -> Facts:
    return (
        script.path,
        script.revision,
        _names(script.down_revision),
        _names(script.dependencies),
        tuple(script._orig_branch_labels),
        script.longdoc,
    )


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    assert isinstance(value, tuple)
    return value
