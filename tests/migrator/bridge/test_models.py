"""The names that a revision gives to what has none, and the models that these come from."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect
from support.command import invoke
from support.database import connection_to
from support.history import MakeApp, Revision

CONVENTION = "alembic.naming_convention"
MODELS = "alembic.target_metadata"
UNNAMED = Revision(
    "aaa111",
    upgrade="""
        op.create_table("a", sa.Column("id", sa.Integer, primary_key=True))
        op.create_table(
            "b",
            sa.Column("a_id", sa.Integer, sa.ForeignKey("a.id")),
            sa.Column("name", sa.String(9), unique=True),
        )
    """,
)
NAMES = """
from sqlalchemy import MetaData

class Base:
    metadata = MetaData(naming_convention={"fk": "fk_%(table_name)s"})

NAMING_CONVENTION = {"fk": "fk_%(table_name)s", "uq": "uq_%(table_name)s"}
other = MetaData(naming_convention={"uq": "another_%(table_name)s"})
number = 7
"""


@pytest.fixture(autouse=True)
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The application's naming convention, in the module `shop_names`."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "shop_names.py"
    path.write_text(NAMES)
    sys.modules.pop("shop_names", None)
    yield path
    sys.modules.pop("shop_names", None)


def names_of(url: str) -> tuple[str | None, str | None]:
    """Return the names of the foreign key and the unique constraint of `b`."""
    with connection_to(url) as connection:
        (key,) = inspect(connection).get_foreign_keys("b")
        (unique,) = inspect(connection).get_unique_constraints("b")
    return key["name"], unique["name"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shop_names:NAMING_CONVENTION", ("fk_b", "uq_b")),
        ("shop_names:Base.metadata", ("fk_b", None)),
    ],
)
def test_what_a_revision_leaves_unnamed_has_the_conventions_name(
    name: str, found: tuple[str, str | None], make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [UNNAMED], {CONVENTION: name})

    assert invoke(app, "upgrade").returncode == 0

    assert names_of(sqlite_url) == found


def test_a_later_revision_drops_a_constraint_by_the_conventions_name(
    make_app: MakeApp, postgresql_url: str
) -> None:
    drop = "op.drop_constraint('fk_b', 'b', type_='foreignkey')"
    revisions = [UNNAMED, Revision("bbb222", "aaa111", upgrade=drop)]
    app = make_app(postgresql_url, revisions, {CONVENTION: "shop_names:NAMING_CONVENTION"})

    done = invoke(app, "upgrade")

    assert done.returncode == 0, done.stderr


def test_sql_has_the_conventions_names(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, [UNNAMED], {CONVENTION: "shop_names:NAMING_CONVENTION"})

    sql = invoke(app, "upgrade", "--sql").stdout

    assert "CONSTRAINT fk_b FOREIGN KEY(a_id)" in sql
    assert "CONSTRAINT uq_b UNIQUE (name)" in sql


def test_the_metadata_of_env_py_wins(make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, [UNNAMED], {CONVENTION: "shop_names:NAMING_CONVENTION"})
    env = app.parent / "migrations" / "env.py"
    call = "run_migrations(target_metadata=other)"
    text = env.read_text().replace("run_migrations()", f"from shop_names import other\n{call}")
    env.write_text(text)

    assert invoke(app, "upgrade").returncode == 0

    assert names_of(sqlite_url) == (None, "another_b")


@pytest.mark.parametrize(
    "command", ["upgrade", "current", "history", "heads", "revision -m x", "stamp base"]
)
def test_the_convention_is_imported_only_where_a_revision_runs(
    command: str, make_app: MakeApp, sqlite_url: str, names: Path
) -> None:
    settings = {CONVENTION: "shop_names:NAMING_CONVENTION", "alembic.revision_environment": "true"}
    app = make_app(sqlite_url, [UNNAMED], settings)
    assert invoke(app, "upgrade").returncode == 0
    assert sys.modules.pop("shop_names")
    names.write_text("raise RuntimeError('not today')\n")

    assert invoke(app, *command.split()).returncode == 0


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "shop_names:number",
            "which is neither a dict nor a MetaData of SQLAlchemy",
            "write it as `package.module:NAMING_CONVENTION`, a dict or a MetaData.",
        ),
        (
            "shop_names:NAMES",
            "which can't be imported: module 'shop_names' has no attribute 'NAMES'",
            "write it as `package.module:NAMING_CONVENTION`, a dict or a MetaData.",
        ),
    ],
)
def test_a_convention_that_is_none_stops_a_run_before_it_changes_anything(
    name: str, message: str, hint: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    app = make_app(sqlite_url, [UNNAMED], {CONVENTION: name})

    done = invoke(app, "upgrade")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: `alembic.naming_convention` is `{name}`, {message}.\nHint:  {hint}\n"
    )
    assert invoke(app, "current").stdout == "base (no revision)\n"


# What `check` says


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({CONVENTION: "shop_names:Base.metadata"}, None),
        (
            {},
            "Warning: the models have a naming convention, and `alembic.naming_convention` is not"
            " set.",
        ),
        (
            {CONVENTION: "shop_names:NAMING_CONVENTION"},
            "Warning: `alembic.naming_convention` is `shop_names:NAMING_CONVENTION`, which is"
            " another naming convention than the models'.",
        ),
    ],
    ids=["the same", "missing", "another"],
)
@pytest.mark.parametrize("command", ["check", "revision --autogenerate"])
def test_a_convention_that_the_migrations_do_not_have_is_told(
    command: str, settings: dict[str, str], said: str | None, make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(
        sqlite_url, [Revision("aaa111")], {MODELS: "shop_names:Base.metadata", **settings}
    )
    assert invoke(app, "upgrade").returncode == 0

    done = invoke(app, *command.split())

    assert done.returncode == 0
    more = (
        " So `upgrade` gives other names to keys and checks without a name. Set"
        " `alembic.naming_convention = package.module:NAMING_CONVENTION`.\n"
    )
    assert done.stderr == (f"{said}{more}" if said else "")


def test_an_env_py_that_gives_the_models_has_their_convention(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [Revision("aaa111")])
    env = app.parent / "migrations" / "env.py"
    call = "run_migrations(target_metadata=Base.metadata)"
    env.write_text(
        env.read_text().replace("run_migrations()", f"from shop_names import Base\n{call}")
    )
    assert invoke(app, "upgrade").returncode == 0

    assert invoke(app, "check").stderr == ""
