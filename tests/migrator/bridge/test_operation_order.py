"""The order in which a written revision does its work."""

import pytest
from support.command import invoke, run
from support.database import change, tables
from support.history import MakeApp
from support.models import ID, SETTING, MakeModels, table

KEY = "id INTEGER NOT NULL PRIMARY KEY"
FAMILY = [
    f"CREATE TABLE c ({KEY})",
    f"CREATE TABLE a ({KEY}, c_id INTEGER REFERENCES c (id))",
    f"CREATE TABLE d ({KEY}, a_id INTEGER REFERENCES a (id), d_id INTEGER REFERENCES d (id))",
    f"CREATE TABLE b ({KEY}, d_id INTEGER REFERENCES d (id), c_id INTEGER REFERENCES c (id))",
]


def test_tables_are_dropped_before_those_that_they_refer_to(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models("")})
    change(postgresql_url, *FAMILY, "CREATE INDEX i ON c (id)")

    assert invoke(app, "revision", "--autogenerate", "-m", "x").returncode == 0
    for command, left in [("upgrade", ""), ("downgrade base", "abcd"), ("upgrade", "")]:
        done = invoke(app, *command.split())
        assert done.returncode == 0, done.stderr
        assert tables(postgresql_url) == {"alembic_version", *left}


def test_a_table_that_stays_loses_its_key_first(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    models = table(
        "Column('id', Integer, primary_key=True, autoincrement=False)", "Column('c_id', Integer)"
    )
    app = make_app(postgresql_url, [], {SETTING: make_models(models)})
    change(postgresql_url, *FAMILY[:2])

    assert invoke(app, "revision", "--autogenerate", "-m", "x").returncode == 0
    for command, left in [("upgrade", "a"), ("downgrade base", "ac"), ("upgrade", "a")]:
        done = invoke(app, *command.split())
        assert done.returncode == 0, done.stderr
        assert tables(postgresql_url) == {"alembic_version", *left}


def test_two_runs_write_the_same(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [], {SETTING: make_models(table(ID))})
    columns = ", ".join(f"{name} INTEGER" for name in "gfedcb")
    change(sqlite_url, f"CREATE TABLE a ({KEY}, {columns})")
    change(sqlite_url, *(f"CREATE TABLE t{number} (id INTEGER)" for number in range(6)))

    env = {"PYTHONHASHSEED": "1", "PYTHONPATH": str(app.parent)}
    assert run(app, "revision", "--autogenerate", "-m", "x", env=env).returncode == 0

    (path,) = (app.parent / "migrations" / "versions").glob("*.py")
    lines = path.read_text().partition("def downgrade")[0].splitlines()
    dropped = [line.split("'")[1] for line in lines if "drop_" in line]
    assert dropped == [*"bcdefg", *(f"t{number}" for number in reversed(range(6)))]


@pytest.mark.parametrize("renames", [["--rename", "old:new"], []], ids=["renamed", "replaced"])
def test_an_index_whose_name_another_table_gets_is_dropped_first(
    renames: list[str], make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    columns = ("Column('x', Integer)", "Column('y', Integer)", "Index('ix', 'y')")
    models = table(ID, *columns, name="new")
    app = make_app(database_url, [], {SETTING: make_models(models)})
    change(
        database_url,
        f"CREATE TABLE old ({KEY}, x INTEGER, y INTEGER)",
        "CREATE INDEX ix ON old (x)",
    )

    done = invoke(app, "revision", "--autogenerate", "-m", "x", *renames)
    assert done.returncode == 0, done.stderr
    for command, table_name in [("upgrade", "new"), ("downgrade base", "old"), ("upgrade", "new")]:
        done = invoke(app, *command.split())
        assert done.returncode == 0, done.stderr
        assert table_name in tables(database_url)
