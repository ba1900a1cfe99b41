"""A `%` and a quote in what autogenerate writes and compares."""

from pathlib import Path

import pytest
from support.database import change
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import SchemaDrift
from myapp.migrator.commands.authoring import revision
from myapp.migrator.commands.comparison import check
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

pytestmark = pytest.mark.filterwarnings(
    "ignore:autogenerate skipping metadata-specified expression-based"
)

MODELS = """\
from sqlalchemy import *

metadata = MetaData()
Table(
    "a",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("discount", String(20), server_default="50%", comment="100% sure"),
    Column("quoted", String(20), server_default="it's 5 o'clock: 100%"),
    Column("text", String(20), server_default=text("'60%'")),
    Column("half", Integer, Computed("id % 5", persisted=True)),
    CheckConstraint("id % 1 = 0", name="ck_a"),
    Index("ix_a", text("(id % 3)")),
    comment="all 100% of it",
)
"""
FIRST = "op.create_table('a', sa.Column('id', sa.Integer, primary_key=True), {columns})"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The setting for models with a `%` wherever one may stand."""
    name = f"models_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:metadata"


def test_a_percent_sign_is_written_so_that_it_runs(
    make_app: MakeApp, database_url: str, models: str
) -> None:
    settings = {"alembic.target_metadata": models, "alembic.compare_server_default": "true"}
    config = run_context(make_app(database_url, [], settings))

    (new,) = revision(config, "First", autogenerate=True).revisions

    text = Path(new.path).read_text()
    assert "sa.CheckConstraint('id % 1 = 0', name='ck_a')" in text
    assert "server_default='50%'" in text
    assert "sa.text(\"'60%'\")" in text
    upgrade(config)
    change(database_url, "INSERT INTO a (id) VALUES (6)")
    assert check(config).rows == (new.revision,)


def test_a_default_that_differs_from_one_with_a_quote_is_found(
    make_app: MakeApp, database_url: str, models: str
) -> None:
    columns = "sa.Column('quoted', sa.String(20), server_default=\"it's\")"
    settings = {"alembic.target_metadata": models, "alembic.compare_server_default": "true"}
    first = Revision("aaa111", upgrade=FIRST.format(columns=columns))
    config = run_context(make_app(database_url, [first], settings))
    upgrade(config)

    with pytest.raises(SchemaDrift) as raised:
        check(config)

    assert any(
        line.startswith("modify default of a.quoted: ") and "it's 5 o'clock: 100%" in line
        for line in raised.value.details["differences"]
    )
