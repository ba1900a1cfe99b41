"""Check constraints, compared by their names."""

import pytest
from support.command import Result, invoke
from support.database import change
from support.history import MakeApp
from support.models import ID, SETTING, MakeModels, table

N = "Column('n', Integer)"
POSITIVE = "CheckConstraint('n > 0', name='ck_positive')"
UNNAMED = "CheckConstraint('n > 0')"
BOOLEAN = "Column('b', Boolean(create_constraint=True, name='ck_b'))"


def make(key: str, *more: str) -> str:
    return f"CREATE TABLE a ({', '.join([f'id {key} PRIMARY KEY', 'n INTEGER', *more])})"


def differences(done: Result) -> list[str]:
    return [line.strip() for line in done.stderr.splitlines()[1:-1]]


@pytest.fixture
def key(database_url: str) -> str:
    return "SERIAL" if database_url.startswith("postgresql") else "INTEGER NOT NULL"


@pytest.mark.parametrize(
    ("models", "made", "found"),
    [
        ([POSITIVE], [], ["add constraint ck_positive on a"]),
        (
            [],
            ["CONSTRAINT ck_positive CHECK (n > 0)"],
            ["remove constraint ck_positive on a"],
        ),
        ([POSITIVE], ["CONSTRAINT ck_positive CHECK (n > 0)"], []),
        ([UNNAMED], ["CHECK (n > 0)"], []),
        (["Column('k', Integer, CheckConstraint('k > 0'))"], ["k INTEGER CHECK (k > 0)"], []),
    ],
    ids=["lacking", "too many", "equal", "unnamed", "unnamed on a column"],
)
def test_the_names_are_compared(
    models: list[str],
    made: list[str],
    found: list[str],
    make_app: MakeApp,
    make_models: MakeModels,
    database_url: str,
    key: str,
) -> None:
    app = make_app(database_url, [], {SETTING: make_models(table(ID, N, *models))})
    change(database_url, make(key, *made))

    done = invoke(app, "check")

    assert (differences(done), done.returncode) == (found, 4 if found else 0)


def test_a_name_that_postgresql_made_up_for_what_the_models_lack_is_told(
    make_app: MakeApp, make_models: MakeModels, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, [], {SETTING: make_models(table(ID, N, UNNAMED))})
    change(postgresql_url, make("SERIAL", "CHECK (n > 0)", "CHECK (n < 9)"))

    assert differences(invoke(app, "check")) == ["remove constraint a_n_check1 on a"]


def test_the_check_of_a_boolean_counts_where_the_database_has_it(
    make_app: MakeApp, make_models: MakeModels, database_url: str, key: str
) -> None:
    app = make_app(database_url, [], {SETTING: make_models(table(ID, N, BOOLEAN))})
    change(database_url, make(key, "b BOOLEAN"))

    is_native = database_url.startswith("postgresql")
    found = [] if is_native else ["add constraint ck_b on a (b)"]
    assert differences(invoke(app, "check")) == found


def test_what_is_written_brings_them_together_and_back(
    make_app: MakeApp, make_models: MakeModels, database_url: str, key: str
) -> None:
    app = make_app(database_url, [], {SETTING: make_models(table(ID, N, POSITIVE))})
    change(database_url, make(key, "CONSTRAINT ck_small CHECK (n < 9)"))

    written = invoke(app, "revision", "--autogenerate", "-m", "x")
    assert written.returncode == 0, written.stderr
    assert invoke(app, "upgrade").returncode == 0
    assert invoke(app, "check").stderr == ""

    assert invoke(app, "downgrade", "base").returncode == 0
    assert invoke(app, "upgrade").returncode == 0
