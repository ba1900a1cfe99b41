"""What a run drops is told before it runs, and asked about on a terminal."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from support.command import SCRIPTS, invoke, run
from support.database import change, rows, tables
from support.history import MakeApp, Revision, add_revision, create_table, foreign_env
from support.processes import write_env
from support.tenants import app_of_several, databases_env, schemas_env
from support.terminal import run_on_terminal, screen

from myapp.migrator.config import run_context
from myapp.migrator.database import loss_counts
from myapp.migrator.lock import writer_lock

USERS = Revision(
    "aaa111",
    upgrade="op.create_table('users', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('email', sa.String(9)))",
    downgrade="op.drop_table('users')",
)
DROPS = Revision("bbb222", "aaa111", upgrade="op.drop_column('users', 'email')")


@pytest.fixture
def ini(make_app: MakeApp, database_url: str) -> Path:
    """An application with three users, of whom two have an address."""
    ini = make_app(database_url, [USERS])
    assert invoke(ini, "upgrade").returncode == 0
    change(database_url, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    return ini


def drops(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("Drops:")]


@pytest.mark.parametrize("env", [None, foreign_env()])
def test_an_upgrade_tells_what_it_drops_and_goes_on(
    ini: Path, database_url: str, env: str | None
) -> None:
    add_revision(ini.parent / "migrations", DROPS)
    if env:
        write_env(ini, env)

    result = invoke(ini, "upgrade")

    assert result.returncode == 0
    assert result.stderr.splitlines()[0] == "Drops: column users.email: its 2 values go (bbb222)"


def test_what_a_later_revision_has_renamed_is_told_too(ini: Path) -> None:
    """It isn't there by the name that is dropped, until the rename has been undone."""
    renamed = {
        "upgrade": "op.rename_table('users', 'people')",
        "downgrade": "op.rename_table('people', 'users')",
    }
    add_revision(ini.parent / "migrations", Revision("bbb222", "aaa111", **renamed))
    assert invoke(ini, "upgrade").returncode == 0

    assert drops(invoke(ini, "downgrade", "base").stderr) == [
        "Drops: table users, which has another name now, or is not there (aaa111)"
    ]


def test_what_a_run_itself_renames_before_the_drop_is_told(ini: Path) -> None:
    code = "op.rename_table('users', 'people'); op.drop_table('people')"
    add_revision(ini.parent / "migrations", Revision("bbb222", "aaa111", upgrade=code))

    assert drops(invoke(ini, "upgrade").stderr) == [
        "Drops: table people, which has another name now, or is not there (bbb222)"
    ]


def test_a_downgrade_tells_what_it_drops_and_goes_on_without_a_terminal(ini: Path) -> None:
    result = run(ini, "downgrade", "base", input="n\n")

    assert result.returncode == 0
    assert result.stderr.splitlines()[0] == "Drops: table users: its 3 rows go (aaa111)"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("op.execute('DELETE FROM users')", ["rows of users, which has 3 (bbb222)"]),
        ("op.drop_table(str('users'))", ["a table whose name the file doesn't write out (bbb222)"]),
        ("op.execute('DROP TABLE IF EXISTS nowhere')", []),
        ("op.create_table('t'); op.drop_table('t')", []),
    ],
)
def test_what_goes_is_told_as_far_as_it_is_known(ini: Path, code: str, told: list[str]) -> None:
    add_revision(ini.parent / "migrations", Revision("bbb222", "aaa111", upgrade=code))

    result = invoke(ini, "upgrade")

    assert drops(result.stderr) == [f"Drops: {each}" for each in told], result.stderr


def test_from_an_empty_database_nothing_is_told(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, [USERS, DROPS])

    result = invoke(ini, "upgrade")

    assert (result.returncode, drops(result.stderr)) == (0, [])


def test_an_upgrade_that_drops_what_is_empty_says_nothing(ini: Path, database_url: str) -> None:
    change(database_url, "UPDATE users SET email = NULL")
    add_revision(ini.parent / "migrations", DROPS)

    assert drops(invoke(ini, "upgrade").stderr) == []


def test_a_downgrade_tells_of_an_empty_table_too(ini: Path, database_url: str) -> None:
    change(database_url, "DELETE FROM users")

    assert drops(invoke(ini, "downgrade", "-1").stderr) == [
        "Drops: table users: it has no rows (aaa111)"
    ]


def test_a_large_table_is_not_counted(
    ini: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_counts, "_COUNTED", 2)
    told = "more than 2 rows go"
    if database_url.startswith("postgresql"):
        change(database_url, "INSERT INTO users SELECT n, 'x' FROM generate_series(4, 12345) n")
        change(database_url, "ANALYZE users")
        told = "about 12,300 rows go"

    assert drops(invoke(ini, "downgrade", "-1").stderr) == [f"Drops: table users: {told} (aaa111)"]


def test_quiet_tells_nothing_and_json_tells_it_on_standard_error(ini: Path) -> None:
    assert invoke(ini, "downgrade", "-1", "-q").stderr == ""
    assert invoke(ini, "upgrade").returncode == 0

    result = invoke(ini, "downgrade", "-1", "--json")
    assert drops(result.stderr) == ["Drops: table users: it has no rows (aaa111)"]
    assert json.loads(result.stdout)["ok"]


def on_terminal(ini: Path, *words: str, typed: str) -> str:
    return "\n".join(screen(run_on_terminal(ini, *words, typed=typed, columns=200), 200))


@pytest.fixture
def sqlite_ini(make_app: MakeApp, sqlite_url: str) -> Path:
    ini = make_app(sqlite_url, [USERS])
    assert invoke(ini, "upgrade").returncode == 0
    change(sqlite_url, "INSERT INTO users VALUES (1, 'a')")
    return ini


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_on_a_terminal_no_changes_nothing(
    sqlite_ini: Path, sqlite_url: str, options: list[str]
) -> None:
    seen = on_terminal(sqlite_ini, "downgrade", "-1", *options, typed="n\n")

    assert (
        "Drops: table users: its 1 row goes (aaa111)\n"
        "Drop this? [y/N] Error: Nothing was changed: nobody has agreed to it.\n"
        f"Hint:  `myapp-migrate {sqlite_ini} downgrade -1 --yes` does it without a question."
    ) in seen
    assert len(rows(sqlite_url, "SELECT * FROM users")) == 1


def test_on_a_terminal_yes_goes_on(sqlite_ini: Path, sqlite_url: str) -> None:
    assert "Downgraded 1 revision" in on_terminal(sqlite_ini, "downgrade", "-1", typed="y\n")
    assert "users" not in tables(sqlite_url)


@pytest.mark.parametrize("option", ["--yes", "-y", "--json"])
def test_an_option_leaves_the_question_out(sqlite_ini: Path, sqlite_url: str, option: str) -> None:
    assert "Drop this?" not in on_terminal(sqlite_ini, "downgrade", "-1", option, typed="n\n")
    assert "users" not in tables(sqlite_url)


def test_an_upgrade_asks_nothing(sqlite_ini: Path) -> None:
    add_revision(sqlite_ini.parent / "migrations", DROPS)
    written = run_on_terminal(sqlite_ini, "upgrade", typed="n\n")

    assert "\x1b[31mDrops: column users.email: its 1 value goes (bbb222)\x1b[0m" in written
    assert "Upgraded 1 revision" in written


def test_a_downgrade_that_drops_nothing_asks_nothing(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("aaa111")])
    invoke(ini, "upgrade")

    assert "Downgraded 1 revision" in on_terminal(ini, "downgrade", "-1", typed="n\n")


def test_ctrl_c_at_the_question_changes_nothing(sqlite_ini: Path, sqlite_url: str) -> None:
    terminal, end = os.openpty()
    with subprocess.Popen(
        [SCRIPTS / "myapp-migrate", sqlite_ini, "downgrade", "-1"],
        stdin=end,
        stdout=end,
        stderr=end,
    ) as process:
        os.close(end)
        seen = b""
        while b"[y/N] " not in seen:
            seen += os.read(terminal, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        seen = os.read(terminal, 65536)
    os.close(terminal)
    assert seen.endswith(b" Interrupted. Nothing was changed.\r\n")
    assert "users" in tables(sqlite_url)


class AllAgree:
    """Agrees to all that it is told of before the lock is taken, and keeps it."""

    def __init__(self) -> None:
        self.told: list[tuple[list[str], bool]] = []

    def __call__(self, losses: object, is_locked: bool) -> bool:
        self.told.append(([loss.text for loss in losses], is_locked))  # type: ignore[attr-defined]
        return not is_locked


def test_what_comes_up_while_the_run_waits_for_the_lock_is_not_dropped_unasked(
    sqlite_ini: Path, sqlite_url: str
) -> None:
    from myapp.migrator.base.errors import UsageError
    from myapp.migrator.commands.migration import downgrade

    for each in [
        Revision("bbb222", "aaa111", **create_table("b")),
        Revision("ccc333", "bbb222", **create_table("c")),
    ]:
        add_revision(sqlite_ini.parent / "migrations", each)
    assert invoke(sqlite_ini, "upgrade", "bbb222").returncode == 0
    context, agreeing = run_context(sqlite_ini), AllAgree()
    waits = threading.Event()
    context.watcher.notice = lambda sentence: waits.set()  # type: ignore[method-assign]
    errors: list[BaseException] = []

    def undo() -> None:
        try:
            downgrade(context, "aaa111", may_drop=agreeing)
        except UsageError as error:
            errors.append(error)

    thread = threading.Thread(target=undo)
    with writer_lock(run_context(sqlite_ini), lambda sentence: None):
        thread.start()
        assert waits.wait(30)
        change(
            sqlite_url,
            "CREATE TABLE c (id integer)",
            "UPDATE alembic_version SET version_num = 'ccc333'",
        )
    thread.join(30)

    assert agreeing.told == [
        (["table b: it has no rows (bbb222)"], False),
        (["table c: its rows go (ccc333)"], True),
    ]
    assert [str(error) for error in errors] == [
        "What this run drops was not known before it held the lock, and nobody has agreed to it."
    ]
    assert {"b", "c"} <= tables(sqlite_url)


def test_each_of_several_databases_is_told_of(make_app: MakeApp, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.sqlite" for name in ("one", "two")]
    ini = app_of_several(make_app, databases_env(urls), [USERS])
    assert invoke(ini, "upgrade").returncode == 0
    change(urls[1], "INSERT INTO users VALUES (1, 'a')")

    assert drops(invoke(ini, "downgrade", "base").stderr) == [
        f"Drops: table users: it has no rows (aaa111) in {urls[0]}",
        f"Drops: table users: its 1 row goes (aaa111) in {urls[1]}",
    ]


def test_the_tables_of_each_schema_are_counted(make_app: MakeApp, postgresql_url: str) -> None:
    change(postgresql_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    ini = app_of_several(make_app, schemas_env(postgresql_url, ["one", "two"]), [USERS])
    assert invoke(ini, "upgrade").returncode == 0
    change(postgresql_url, "INSERT INTO two.users VALUES (1, 'a')")

    told = drops(invoke(ini, "downgrade", "base").stderr)
    assert [line.partition(" in ")[0] for line in told] == [
        "Drops: table users: it has no rows (aaa111)",
        "Drops: table users: its 1 row goes (aaa111)",
    ]
