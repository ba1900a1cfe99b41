"""Enums of PostgreSQL, compared with the models' and brought together, both ways."""

import sys
import types
from pathlib import Path

import pytest
from support.command import Result, invoke
from support.database import change, rows
from support.history import MakeApp
from support.models import ID, SETTING, MakeModels, table

MOOD = "Column('m', Enum('sad', 'ok', name='mood'))"
MORE = "Column('m', Enum('sad', 'so :so', 'ok', \"it's\", name='mood'))"
LESS = "Column('m', Enum('ok', name='mood'))"
TYPE = "CREATE TYPE mood AS ENUM ('sad', 'ok')"
TABLE = "CREATE TABLE a (id SERIAL PRIMARY KEY, m mood)"
EMPTY = "CREATE TABLE a (id SERIAL PRIMARY KEY)"


def differences(done: Result) -> list[str]:
    return [line.strip() for line in done.stderr.splitlines()[1:-1]]


def labels(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    sql = "SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid"
    for name, label in rows(url, f"{sql} ORDER BY t.typname, e.enumsortorder"):
        found.setdefault(name, []).append(label)
    return found


def written_up_down_and_up(app: Path, url: str) -> tuple[dict[str, list[str]], ...]:
    """Write the revision; return the enums after it, before it, and after it once more."""
    written = invoke(app, "revision", "--autogenerate", "-m", "x")
    assert written.returncode == 0, written.stderr
    seen = []
    for command in ("upgrade", "downgrade base", "upgrade"):
        done = invoke(app, *command.split())
        assert done.returncode == 0, done.stderr
        seen.append(labels(url))
    assert invoke(app, "check").stderr == ""
    return tuple(seen)


@pytest.mark.parametrize(
    ("models", "made", "found"),
    [
        (MOOD, [TYPE, TABLE], []),
        (MORE, [TYPE, TABLE], ["change enum mood: add 'so :so', add 'it''s'"]),
        (LESS, [TYPE, TABLE], ["change enum mood: remove 'sad'"]),
        (
            "Column('m', ARRAY(Enum('ok', 'new', name='mood')))",
            [TYPE, "CREATE TABLE a (id SERIAL PRIMARY KEY, m mood[])"],
            ["change enum mood: add 'new', remove 'sad'"],
        ),
        (MOOD, [EMPTY], ["add column a.m", "add enum mood ('sad', 'ok')"]),
        (ID, [TYPE, TABLE], ["remove column a.m", "remove enum mood"]),
        (ID, [TYPE, EMPTY], []),
        (
            "Column('m', Enum('sad', native_enum=False, name='mood'))",
            [TYPE, TABLE],
            ["modify type of a.m: mood -> VARCHAR(3)", "remove enum mood"],
        ),
    ],
    ids=[
        "equal",
        "lacking",
        "too many",
        "array",
        "new",
        "dropped",
        "of nobody",
        "not native",
    ],
)
def test_the_values_are_compared(
    models: str,
    made: list[str],
    found: list[str],
    make_app: MakeApp,
    make_models: MakeModels,
    postgresql_url: str,
) -> None:
    columns = [models] if models == ID else [ID, models]
    app = make_app(postgresql_url, [], {SETTING: make_models(table(*columns))})
    change(postgresql_url, *made)

    done = invoke(app, "check")

    assert (sorted(differences(done)), done.returncode) == (found, 4 if found else 0)


def test_new_values_come_where_the_models_have_them(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, MORE))})
    change(postgresql_url, TYPE, TABLE)

    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {"mood": ["sad", "so :so", "ok", "it's"]}
    assert before == {"mood": ["sad", "ok"]}


def test_a_new_value_can_be_a_default_at_once(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    column = "Column('m', Enum('sad', 'ok', 'new', name='mood'), server_default='new')"
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, column))})
    change(postgresql_url, TYPE, TABLE)

    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {"mood": ["sad", "ok", "new"]}
    assert before == {"mood": ["sad", "ok"]}


@pytest.mark.parametrize(
    ("made", "default"),
    [
        ("VARCHAR(9)", ""),
        ("VARCHAR(9) DEFAULT 'ok'", "server_default='ok'"),
        ("other DEFAULT 'ok'", "server_default='ok'"),
        ("other DEFAULT 'ok'", "server_default='new'"),
        ("other", "server_default='new'"),
        ("other DEFAULT 'ok'", ""),
    ],
)
def test_a_column_becomes_an_enum_and_its_values_are_cast(
    made: str, default: str, make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    column = f"Column('m', Enum('ok', 'new', name='mood'), nullable=False, {default})"
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, column))})
    change(
        postgresql_url,
        "CREATE TYPE other AS ENUM ('ok', 'gone')",
        f"CREATE TABLE a (id SERIAL PRIMARY KEY, m {made})",
        "INSERT INTO a (m) VALUES ('ok')",
    )

    after, before, again = written_up_down_and_up(app, postgresql_url)

    kept = {} if made.startswith("other") else {"other": ["ok", "gone"]}
    assert after == again == {"mood": ["ok", "new"], **kept}
    assert before == {"other": ["ok", "gone"]}
    assert rows(postgresql_url, "SELECT m::text FROM a") == [("ok",)]


def test_a_value_goes_and_the_columns_keep_theirs(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    columns = (
        "Column('m', Enum('ok', name='mood'), server_default='ok')",
        "Column('ms', ARRAY(Enum('ok', name='mood')))",
    )
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, *columns))})
    made = "CREATE TABLE a (id SERIAL PRIMARY KEY, m mood DEFAULT 'ok', ms mood[])"
    change(postgresql_url, TYPE, made, "INSERT INTO a (ms) VALUES ('{ok}')")

    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {"mood": ["ok"]}
    assert before == {"mood": ["sad", "ok"]}
    change(postgresql_url, "INSERT INTO a (id) VALUES (7)")
    assert rows(postgresql_url, "SELECT m::text, ms::text FROM a") == [
        ("ok", "{ok}"),
        ("ok", None),
    ]


def test_a_value_that_a_row_has_stays(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, LESS))})
    change(postgresql_url, TYPE, TABLE, "INSERT INTO a (m) VALUES ('sad')")
    assert invoke(app, "revision", "--autogenerate", "-m", "x").returncode == 0

    done = invoke(app, "upgrade")

    assert done.returncode == 1
    assert 'invalid input value for enum mood: "sad"' in done.stderr
    assert labels(postgresql_url) == {"mood": ["sad", "ok"]}


@pytest.mark.parametrize("made", [(EMPTY,), ()], ids=["a column", "a table"])
def test_a_new_type_is_dropped_on_the_way_back(
    made: tuple[str, ...], make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, MOOD))})
    change(postgresql_url, *made)

    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {"mood": ["sad", "ok"]}
    assert before == {}


@pytest.mark.parametrize("kept", [table(ID), "Table('b', metadata)"], ids=["a column", "a table"])
def test_a_type_goes_with_its_last_column_and_comes_back(
    kept: str, make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(kept)})
    change(postgresql_url, TYPE, TABLE, "CREATE TABLE b ()")
    if "'a'" in kept:
        change(postgresql_url, "DROP TABLE b")

    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {}
    assert before == {"mood": ["sad", "ok"]}


def test_a_type_of_another_schema_is_named_with_it(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    column = "Column('m', Enum('sad', 'ok', 'new', name='Mood', schema='other'))"
    settings = {SETTING: make_models(table(ID, column)), "alembic.include_schemas": "true"}
    app = make_app(postgresql_url, [], settings)
    change(
        postgresql_url,
        "CREATE SCHEMA other",
        "CREATE TYPE other.\"Mood\" AS ENUM ('sad', 'ok')",
        'CREATE TABLE a (id SERIAL PRIMARY KEY, m other."Mood")',
    )

    assert differences(invoke(app, "check")) == ["change enum other.Mood: add 'new'"]
    after, before, again = written_up_down_and_up(app, postgresql_url)

    assert after == again == {"Mood": ["sad", "ok", "new"]}
    assert before == {"Mood": ["sad", "ok"]}


def test_alembic_postgresql_enum_has_its_way_where_env_py_imports_it(
    make_app: MakeApp,
    make_models: MakeModels,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, MORE))})
    change(postgresql_url, TYPE, TABLE)
    monkeypatch.setitem(sys.modules, "alembic_postgresql_enum", types.ModuleType("stands for it"))

    assert invoke(app, "check").returncode == 0
