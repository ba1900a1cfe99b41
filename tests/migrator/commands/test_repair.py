"""`repair` mends the version table, says why, and runs no revision."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ahead
from support.command import SCRIPTS, invoke, run
from support.database import change, heads, rows, tables
from support.examples import pairs
from support.history import MakeApp, Revision, add_revision, create_table, foreign_env
from support.postgresql import execute
from support.processes import write_env
from support.terminal import run_on_terminal, screen

from myapp.migrator.config import run_context
from myapp.migrator.lock import writer_lock

LONG = "0002_an_id_that_has_more_than_32_characters"
LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
    Revision("xxx999", **create_table("x")),
]
#: The values of a table, what is told of them, and the rows that are left.
WRONG = [
    (["'aaa111'", "'bbb222'"], "aaa111 is taken out: bbb222 came after it", {"bbb222"}),
    (["'bbb222'", "'bbb222'"], "bbb222 stands there more than once, and is kept", {"bbb222"}),
    (["'aaa111'", "'aaa111'", "'bbb222'"], "aaa111 is taken out: bbb222", {"bbb222"}),
    (["NULL", "'bbb222'"], "NULL is taken out: it is no revision", {"bbb222"}),
    (["''", "'  '", "'bbb222'"], "'' is taken out: it is no revision", {"bbb222"}),
    (["' bbb222'"], "' bbb222' becomes bbb222: an id has no blanks", {"bbb222"}),
    (["' bbb222'", "'bbb222'"], "' bbb222' becomes bbb222", {"bbb222"}),
    (["' aaa111'", "'bbb222'"], "' aaa111' is taken out: bbb222 came after it", {"bbb222"}),
    (["NULL", "'xxx999'", "'aaa111'", "'aaa111'"], "aaa111 stands there", {"aaa111", "xxx999"}),
]
WIDTH = (
    "SELECT data_type, character_maximum_length FROM information_schema.columns"
    " WHERE table_name = 'alembic_version'"
)


@pytest.fixture
def broken(make_app: MakeApp) -> Callable[..., Path]:
    def make(url: str, values: list[str], type_: str = "varchar(32)") -> Path:
        change(url, f"CREATE TABLE alembic_version (version_num {type_})")
        change(url, *(f"INSERT INTO alembic_version VALUES ({value})" for value in values))
        return make_app(url, LINE)

    return make


Broken = Callable[..., Path]
Values = list[str]


def raw(url: str) -> list[object]:
    return [row[0] for row in rows(url, "SELECT version_num FROM alembic_version")]


@pytest.mark.parametrize(("wrong", "env"), pairs(WRONG, [None, foreign_env(), foreign_env("")]))
def test_rows_that_are_wrong_are_mended(
    broken: Broken, database_url: str, wrong: tuple[Values, str, set[str]], env: str | None
) -> None:
    values, why, left = wrong
    ini = broken(database_url, values)
    if env:
        write_env(ini, env)

    result = invoke(ini, "repair", "--yes")

    assert result.returncode == 0, result.stderr
    assert why in result.stderr
    assert set(raw(database_url)) == left
    assert len(raw(database_url)) == len(left)
    assert tables(database_url) == {"alembic_version"}
    assert result.stdout.startswith("Repaired the version table alembic_version: it holds ")
    again = invoke(ini, "repair")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("Nothing to repair in the version table alembic_version: it")
    for command in ("current", "stamp bbb222", "downgrade aaa111 --sql"):
        assert "repair" not in invoke(ini, *command.split()).stderr


def test_it_shows_all_of_what_it_would_write(broken: Broken, sqlite_url: str) -> None:
    result = invoke(broken(sqlite_url, ["'aaa111'", "NULL", "'bbb222'"]), "repair", "--yes")

    assert result.stderr == (
        "The version table alembic_version holds aaa111, NULL, bbb222.\n"
        "  aaa111 is taken out: bbb222 came after it, and says it already.\n"
        "  NULL is taken out: it is no revision.\n"
        "Then it holds bbb222.\n"
    )
    assert result.stdout == "Repaired the version table alembic_version: it holds bbb222.\n"


def test_without_a_terminal_it_writes_nothing_unless_told_to(
    broken: Broken, database_url: str
) -> None:
    ini = broken(database_url, ["'aaa111'", "'bbb222'"])

    result = run(ini, "repair", input="y\n")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith(
        "Then it holds bbb222.\n"
        "Error: Nothing was changed: nobody has agreed to it.\n"
        f"Hint:  `myapp-migrate {ini} repair --yes` writes it without a question.\n"
    )
    assert set(raw(database_url)) == {"aaa111", "bbb222"}


@pytest.mark.parametrize(("answer", "is_done"), [("y", True), ("yes", True), ("n", False)])
def test_on_a_terminal_it_asks(broken: Broken, sqlite_url: str, answer: str, is_done: bool) -> None:
    ini = broken(sqlite_url, ["'aaa111'", "'bbb222'"])

    seen = "\n".join(screen(run_on_terminal(ini, "repair", typed=f"{answer}\n", columns=200)))

    # What is typed before the question is echoed before it.
    then = "Repaired the" if is_done else "Error: Nothing was changed: nobody has agreed to it."
    assert f"Then it holds bbb222.\nWrite this? [y/N] {then}" in seen
    assert set(raw(sqlite_url)) == ({"bbb222"} if is_done else {"aaa111", "bbb222"})


def test_it_can_be_interrupted_at_the_question(broken: Broken, sqlite_url: str) -> None:
    ini = broken(sqlite_url, ["'aaa111'", "'bbb222'"])
    terminal, end = os.openpty()
    with subprocess.Popen(
        [SCRIPTS / "myapp-migrate", ini, "repair"], stdin=end, stdout=end, stderr=end
    ) as process:
        os.close(end)
        seen = b""
        while b"[y/N] " not in seen:
            seen += os.read(terminal, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    os.close(terminal)
    assert set(raw(sqlite_url)) == {"aaa111", "bbb222"}


def test_json_tells_what_was_written(broken: Broken, sqlite_url: str) -> None:
    ini = broken(sqlite_url, ["NULL", "'aaa111'", "'bbb222'"])

    refused = invoke(ini, "repair", "--json")
    document = json.loads(refused.stdout)
    assert (refused.returncode, document["error"]["code"]) == (2, "usage")

    table = {
        "table": "alembic_version",
        "before": [None, "aaa111", "bbb222"],
        "after": ["bbb222"],
        "rows": [
            {"row": None, "reason": "null", "instead": None},
            {"row": "aaa111", "reason": "implied", "instead": "bbb222"},
        ],
        "widths": None,
    }
    done = {"command": "repair", "ok": True, "is_changed": True, "tables": [table]}
    assert json.loads(invoke(ini, "repair", "--json", "--yes").stdout) == done

    table |= {"before": ["bbb222"], "rows": []}
    done |= {"is_changed": False}
    assert json.loads(invoke(ini, "repair", "--json").stdout) == done


@pytest.mark.parametrize("values", [["'zzz'"], ["'zzz'", "NULL", "'aaa111'", "'bbb222'"]])
def test_a_row_that_no_file_has_is_left_with_what_can_be_done(
    broken: Broken, database_url: str, values: Values
) -> None:
    ini = broken(database_url, values)

    result = invoke(ini, "repair", "--yes")

    hint = ahead.HINT.replace("{cmd}", f"myapp-migrate {ini}")
    assert (result.returncode, result.stdout) == (7, "")
    assert result.stderr == f"Error: {ahead.message('zzz')}\nHint:  {hint}\n"
    assert len(raw(database_url)) == len(values)


@pytest.mark.parametrize(
    ("values", "what"), [(["NULL", "NULL"], "NULL"), (["''", "NULL"], "'' and NULL")]
)
def test_rows_that_say_nothing_are_no_base(
    broken: Broken, database_url: str, values: Values, what: str
) -> None:
    ini = broken(database_url, values)

    result = invoke(ini, "repair", "--yes")

    assert (result.returncode, result.stderr) == (
        2,
        f"Error: The version table alembic_version holds nothing but {what}, so where the database"
        " stands can't be told.\n"
        f"Hint:  if you know it, `myapp-migrate {ini} stamp --purge REVISION` writes it (`base` for"
        " none).\n",
    )
    assert len(raw(database_url)) == len(values)


@pytest.mark.parametrize(
    "values", [each[0] for each in WRONG] + [["NULL"], ["'zzz'"], ["'zzz'", "NULL"]]
)
def test_a_purge_overrides_whatever_text_is_there(
    broken: Broken, database_url: str, values: Values
) -> None:
    ini = broken(database_url, values)

    result = invoke(ini, "stamp", "--purge", "bbb222")

    assert result.returncode == 0, result.stderr
    assert raw(database_url) == ["bbb222"]


def test_a_missing_table_is_not_made(make_app: MakeApp, database_url: str, tmp_path: Path) -> None:
    ini = make_app(database_url, LINE)

    result = invoke(ini, "repair", "--yes")

    assert (result.returncode, result.stderr) == (0, "")
    if database_url.startswith("sqlite"):
        assert not (tmp_path / "test.sqlite").exists()
    else:
        assert tables(database_url) == set()


@pytest.mark.parametrize(
    ("type_", "told"),
    [
        ("varchar(32)", "The column is widened from 32 to 43 characters, for the longest id."),
        ("char(32)", "The column becomes VARCHAR(43): its type adds blanks to each id."),
    ],
)
def test_the_column_is_widened_for_the_longest_id(
    broken: Broken, postgresql_url: str, type_: str, told: str
) -> None:
    ini = broken(postgresql_url, ["'bbb222'"], type_)
    add_revision(ini.parent / "migrations", Revision(LONG, "bbb222", **create_table("c")))

    result = invoke(ini, "repair", "--yes")

    assert result.returncode == 0, result.stderr
    assert f"  {told}\n" in result.stderr
    assert rows(postgresql_url, WIDTH) == [("character varying", len(LONG))]
    assert raw(postgresql_url) == ["bbb222"]
    assert invoke(ini, "upgrade", LONG).returncode == 0
    assert heads(postgresql_url) == {LONG}


def test_a_column_that_adds_blanks_adds_none_any_more(broken: Broken, postgresql_url: str) -> None:
    ini = broken(postgresql_url, ["'aaa111'", "'bbb222'"], "char(32)")

    assert invoke(ini, "repair", "--yes").returncode == 0
    assert rows(postgresql_url, WIDTH) == [("character varying", 32)]
    assert raw(postgresql_url) == ["bbb222"]


def test_a_table_with_another_name_in_another_schema_is_meant(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(
        postgresql_url,
        'CREATE SCHEMA "My own"',
        'CREATE TABLE "My own"."Versions" (version_num varchar(32) NOT NULL)',
        "INSERT INTO \"My own\".\"Versions\" VALUES ('aaa111'), ('bbb222')",
        "CREATE TABLE alembic_version (version_num varchar(32))",
    )
    named = {"alembic.version_table_schema": "My own", "alembic.version_table": "Versions"}
    ini = make_app(postgresql_url, [*LINE, Revision(LONG, "bbb222")], named)

    result = invoke(ini, "repair", "--yes")

    assert "The version table My own.Versions holds aaa111, bbb222." in result.stderr
    found = rows(postgresql_url, 'SELECT version_num FROM "My own"."Versions"')
    assert (result.returncode, found) == (0, [("bbb222",)])
    assert (WIDTH and rows(postgresql_url, WIDTH)) == [("character varying", 32)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_all_is_written_or_nothing(
    broken: Broken, kind: str, request: pytest.FixtureRequest
) -> None:
    """A trigger keeps one of two changes from being made."""
    url: str = request.getfixturevalue(f"{kind}_url")
    ini = broken(url, ["'aaa111'", "'bbb222'", "NULL"])
    if kind == "sqlite":
        change(
            url,
            "CREATE TRIGGER t BEFORE DELETE ON alembic_version WHEN old.version_num = 'aaa111'"
            " BEGIN SELECT RAISE(IGNORE); END",
        )
    else:
        execute(
            url,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN IF old.version_num = 'aaa111' THEN RETURN NULL; END IF; RETURN old; END$$",
            "CREATE TRIGGER t BEFORE DELETE ON alembic_version FOR EACH ROW EXECUTE FUNCTION f()",
        )

    result = invoke(ini, "repair", "--yes")

    assert result.returncode == 2
    assert "The version table alembic_version has not kept what was written to it" in result.stderr
    assert sorted(map(str, raw(url))) == ["None", "aaa111", "bbb222"]


def test_what_env_py_does_not_commit_is_an_error(broken: Broken, database_url: str) -> None:
    ini = broken(database_url, ["'aaa111'", "'bbb222'"])
    write_env(
        ini, foreign_env(before='connection.execute(text("CREATE TEMP TABLE x (i INTEGER)"))')
    )

    result = invoke(ini, "repair", "--yes")

    assert result.returncode == 1
    assert "env.py reported success, but nothing was committed" in result.stderr
    assert set(raw(database_url)) == {"aaa111", "bbb222"}


def test_a_table_that_changes_after_the_question_is_left(
    broken: Broken, sqlite_url: str, tmp_path: Path
) -> None:
    """The answer was about other rows."""
    ini = broken(sqlite_url, ["'aaa111'", "'bbb222'"])
    path = tmp_path / "migrations" / "env.py"
    path.write_text(
        "import os, sqlite3\n"
        f"if os.path.exists({str(tmp_path / 'seen')!r}):\n"
        f"    connection = sqlite3.connect({sqlite_url.removeprefix('sqlite:///')!r})\n"
        "    connection.execute(\"INSERT INTO alembic_version VALUES ('xxx999')\")\n"
        "    connection.commit()\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').close()\n" + path.read_text()
    )

    result = invoke(ini, "repair", "--yes")

    assert (result.returncode, "has changed meanwhile" in result.stderr) == (2, True)
    assert set(raw(sqlite_url)) == {"aaa111", "bbb222", "xxx999"}


def test_it_writes_nothing_while_another_run_does(broken: Broken, database_url: str) -> None:
    ini = broken(database_url, ["'aaa111'", "'bbb222'"])
    context = run_context(ini)

    with writer_lock(context, lambda sentence: None):
        result = invoke(ini, "repair", "--yes", "--lock-wait", "0")

    assert result.returncode == 5
    assert set(raw(database_url)) == {"aaa111", "bbb222"}


def test_each_database_of_env_py_is_mended(broken: Broken, tmp_path: Path) -> None:
    first, second, third = (f"sqlite:///{tmp_path / name}" for name in ("1.db", "2.db", "3.db"))
    ini = broken(first, ["'aaa111'", "'bbb222'"])
    for url, value in ((second, "'bbb222'"), (third, "'aaa111'")):
        change(url, "CREATE TABLE alembic_version (version_num varchar(32))")
        change(url, f"INSERT INTO alembic_version VALUES ({value}), ({value})")
    change(second, "DELETE FROM alembic_version WHERE rowid = 1")
    write_env(
        ini,
        "from alembic import context\n"
        "from sqlalchemy import create_engine\n"
        f"for url in {[first, second, third]}:\n"
        "    with create_engine(url).connect() as connection:\n"
        "        context.configure(connection=connection)\n"
        "        with context.begin_transaction():\n"
        "            context.run_migrations()\n",
    )

    result = invoke(ini, "repair", "--yes")

    assert result.returncode == 0, result.stderr
    assert [raw(url) for url in (first, second, third)] == [["bbb222"], ["bbb222"], ["aaa111"]]
    assert [line.split(" the ")[0] for line in result.stdout.splitlines()] == [
        "Repaired",
        "Nothing to repair in",
        "Repaired",
    ]
