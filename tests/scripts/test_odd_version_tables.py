"""A version table that is none stops every command that reads it, and is left as it is."""

from collections.abc import Callable

import pytest
from support.command import invoke
from support.database import change, rows, tables
from support.examples import in_turn
from support.faults import IS_FULL
from support.history import MakeApp, Revision, create_table, foreign_env
from support.postgresql import execute
from support.processes import write_env
from support.sessions import plain_user

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]
COMMANDS = [
    ("current", 2),
    ("upgrade", 2),
    ("upgrade aaa111", 2),
    ("downgrade base", 2),
    ("stamp bbb222", 2),
    ("history", 0),
    ("history -i", 2),
    ("show current", 2),
    ("check", 2),
    ("wait --timeout 0", 2),
    ("ensure-version", 2),
]
#: What mends a table is refused only where the table is of something else.
MENDING = [("repair --yes", 2), ("stamp --purge bbb222", 2)]
#: The type of the column, its values, and what is told of them.
ON_BOTH = [
    ("varchar(32)", ["NULL"], "NULL"),
    ("varchar(32)", ["''"], "'', which is not an id"),
    ("varchar(32)", ["'  '"], "'  ', which is not an id"),
    ("varchar(32)", ["' aaa111'"], "' aaa111', an id with blanks"),
    ("varchar(32)", ["'aaa111\t'"], "'aaa111\\t', an id with blanks"),
    ("varchar(32)", ["'aaa111'", "NULL"], "NULL"),
    ("varchar(32)", ["'aaa111'", "'aaa111'"], "aaa111 twice"),
    ("varchar(32)", ["'zzz'"] * 40, "zzz twice"),
    ("integer", ["5"], "5, of the type int"),
    ("double precision", ["2.5"], "2.5, of the type float"),
]
ON_SQLITE = [
    ("blob", ["x'616161313131'"], "b'aaa111', of the type bytes"),
    ("", ["1", "'aaa111'"], "1, of the type int"),
]
ON_POSTGRESQL = [
    ("bytea", [r"'\x616161313131'"], "b'aaa111', of the type memoryview"),
    ("json", ["""'{"a": 1}'"""], "{'a': 1}, of the type dict"),
    ("jsonb", ["'[1]'"], "[1], of the type list"),
    ("json", ["'7'"], "7, of the type int"),
    ("boolean", ["true"], "True, of the type bool"),
    ("date", ["'2026-01-02'"], "datetime.date(2026, 1, 2), of the type date"),
    ("timestamptz", ["'2026-01-02'"], "datetime.datetime("),
    ("numeric", ["1.50"], "Decimal('1.50'), of the type Decimal"),
    ("text[]", ["'{aaa111}'"], "['aaa111'], of the type list"),
    ("int4range", ["'[1,2)'"], "NumericRange(1, 2, '[)'), of the type NumericRange"),
    ("char(32)", ["'aaa111'"], f"'aaa111{' ' * 26}', an id with blanks"),
    ("interval", ["'1 day'"], "datetime.timedelta(days=1), of the type timedelta"),
]
#: One that the quick path leaves to the ordinary one.
ENVIRONMENTS = {"ours": "", "foreign": foreign_env("")}
TABLES = [
    *(("sqlite", *each) for each in ON_BOTH + ON_SQLITE),
    *(("postgresql", *each) for each in ON_BOTH + ON_POSTGRESQL),
]
CASES = [
    (env, *table, COMMANDS if IS_FULL else in_turn(COMMANDS, number + offset, 2))
    for offset, env in enumerate(ENVIRONMENTS)
    for number, table in enumerate(TABLES)
]


@pytest.fixture
def url_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    return lambda kind: str(request.getfixturevalue(f"{kind}_url"))


@pytest.mark.parametrize(("env", "kind", "type_", "values", "told", "commands"), CASES)
def test_odd_rows_are_told_with_their_table_and_left_alone(
    env: str,
    kind: str,
    type_: str,
    values: list[str],
    told: str,
    commands: list[tuple[str, int]],
    url_of: Callable[[str], str],
    make_app: MakeApp,
) -> None:
    url = url_of(kind)
    change(url, f"CREATE TABLE alembic_version (version_num {type_})")
    change(url, *(f"INSERT INTO alembic_version VALUES ({value})" for value in values))
    ini = make_app(url, LINE, {"alembic.target_metadata": "myapp.models:Base.metadata"})
    if ENVIRONMENTS[env]:
        write_env(ini, ENVIRONMENTS[env])
    before = [
        repr(row) for row in rows(url, "SELECT CAST(version_num AS text) FROM alembic_version")
    ]
    is_foreign = ", of the type " in told or told.endswith("(")
    says_something = any("aaa111" in value or "zzz" in value for value in values)
    mended = "repair` shows what" if says_something else "stamp --purge REVISION` writes it"
    hint = "is it a table of something else?" if is_foreign else mended
    for command, status in [*commands, *(MENDING if is_foreign else [])]:
        result = invoke(ini, *command.split())
        assert result.returncode == status, (command, result.stderr)
        assert f"The version table alembic_version holds {told}" in result.stderr, command
        assert hint in result.stderr or command == "history"
    after = [
        repr(row) for row in rows(url, "SELECT CAST(version_num AS text) FROM alembic_version")
    ]
    assert (after, tables(url)) == (before, {"alembic_version"})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_without_the_column_is_told(
    kind: str, url_of: Callable[[str], str], make_app: MakeApp
) -> None:
    url = url_of(kind)
    change(url, "CREATE TABLE alembic_version (version text)")
    ini = make_app(url, LINE)
    for command, status in COMMANDS + MENDING:
        result = invoke(ini, *command.split())
        assert result.returncode == status, (command, result.stderr)
        assert "alembic_version.version_num" in result.stderr
    assert tables(url) == {"alembic_version"}


def test_a_table_that_this_user_may_not_read_is_told(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    execute(
        postgresql_url,
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('aaa111')",
    )
    with plain_user(postgresql_server, postgresql_url) as url:
        ini = make_app(url, LINE)
        for command, status in COMMANDS + MENDING:
            result = invoke(ini, *command.split())
            assert result.returncode == (6 if status else 0), (command, result.stderr)
            assert "permission denied for table alembic_version" in result.stderr
    assert rows(postgresql_url, "SELECT * FROM alembic_version") == [("aaa111",)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE v (version_num text)", "CREATE VIEW alembic_version AS SELECT * FROM v"],
        ["CREATE TABLE alembic_version (note text, version_num text)"],
        ["CREATE TABLE alembic_version (version_num text, note text DEFAULT 'x')"],
    ],
    ids=["a view", "a column before it", "a column behind it"],
)
def test_an_unusual_table_of_good_rows_is_read(
    kind: str, statements: list[str], url_of: Callable[[str], str], make_app: MakeApp
) -> None:
    url = url_of(kind)
    table = "v" if len(statements) > 1 else "alembic_version"
    change(url, *statements, f"INSERT INTO {table} (version_num) VALUES ('bbb222')")
    ini = make_app(url, LINE)
    assert invoke(ini, "current").stdout == "bbb222 (head), a change\n"
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "wait", "--timeout", "0").returncode == 0
