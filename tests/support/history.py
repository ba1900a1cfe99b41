"""Migrations folders with any graph of revisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Protocol

import myapp

ENV = '''\
"""Run the migrations."""

from myapp.migrator.environment import run_migrations

run_migrations()
'''

_FOREIGN = """\
from alembic import context
from sqlalchemy import create_engine, text

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"){engine})
with engine.connect() as connection:
    {before}
    context.configure(connection=connection, {options})
    with context.begin_transaction():
        context.run_migrations()
    {after}
"""

TEMPLATE = Path(myapp.__file__).parent / "migrations" / "script.py.mako"


@dataclass(frozen=True)
class Revision:
    """One revision file; `upgrade` and `downgrade` are the bodies of these functions."""

    id: str
    down_revision: str | tuple[str, ...] | None = None
    message: str = "a change"
    upgrade: str = "pass"
    downgrade: str = "pass"
    branch_labels: str | tuple[str, ...] | None = None
    depends_on: str | tuple[str, ...] | None = None


class MakeApp(Protocol):
    """The fixture `make_app`."""

    def __call__(
        self,
        url: str,
        revisions: Iterable[Revision] = (),
        settings: Mapping[str, str] | None = None,
        *,
        extra: str = "",
    ) -> Path: ...


def make_history(folder: Path, revisions: Iterable[Revision] = ()) -> Path:
    """Write a migrations folder with `revisions`, and return it."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV)
    (folder / "script.py.mako").write_text(TEMPLATE.read_text())
    for revision in revisions:
        add_revision(folder, revision)
    return folder


def add_revision(folder: Path, revision: Revision) -> Path:
    """Write one more revision into a migrations folder, and return its file."""
    path = folder / "versions" / f"{revision.id}_.py"
    path.write_text(
        f'"""{revision.message}"""\n\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n\n"
        f"revision = {revision.id!r}\n"
        f"down_revision = {revision.down_revision!r}\n"
        f"branch_labels = {revision.branch_labels!r}\n"
        f"depends_on = {revision.depends_on!r}\n\n\n"
        f"def upgrade():\n{_body(revision.upgrade)}\n\n\n"
        f"def downgrade():\n{_body(revision.downgrade)}\n"
    )
    return path


def foreign_env(
    options: str = "transaction_per_migration=True",
    *,
    engine: str = "",
    before: str = "",
    after: str = "",
) -> str:
    """Return an env.py that makes its own engine, as those of other applications do.

    `options` are for `context.configure`, `engine` for `create_engine`. `before` and `after` are
    statements around the run, of one line each.
    """
    engine = f", {engine}" if engine else ""
    return _FOREIGN.format(options=options, engine=engine, before=before, after=after)


def create_table(name: str) -> dict[str, str]:
    """Return a revision's bodies for one table: `Revision("a1", **create_table("t"))`."""
    return {
        "upgrade": f"op.create_table({name!r}, sa.Column('id', sa.Integer, primary_key=True))",
        "downgrade": f"op.drop_table({name!r})",
    }


def _body(code: str) -> str:
    return indent(dedent(code).strip(), "    ")
