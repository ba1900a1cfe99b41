"""Every exit status that scripts test, and the ends that no command plans: signals, lost output."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent

import pytest
from support.ahead import HINT as AHEAD_HINT
from support.ahead import message as ahead_message
from support.command import SCRIPTS, Result, invoke, run
from support.database import change, connection_to, heads, tables
from support.history import MakeApp, Revision, add_revision, create_table, foreign_env
from support.processes import Start, until, write_env
from support.refusal import files, refused, told

A = Revision("aaaa1111", message="add a", **create_table("a"))
B = Revision("bbbb2222", "aaaa1111", message="add b", **create_table("b"))
KEPT = replace(B, downgrade="pass  # migrate: irreversible because b is gone")
MISSPELT = replace(B, downgrade="op.drop_table('b')  # migrate: ireversible because b is gone")
OTHER_B = Revision("bbbb3333", "aaaa1111", message="add phone", **create_table("phone"))


def failing(code: str) -> list[Revision]:
    """Return a history whose second revision makes a table and then runs `code`."""
    body = f"{create_table('b')['upgrade']}\n{code}"
    return [A, Revision("bbbb2222", "aaaa1111", message="add b", upgrade=body)]


# The table of the README


@dataclass(frozen=True)
class Case:
    """What to run, at which point of which history."""

    returncode: int
    command: str
    revisions: tuple[Revision, ...] = (A, B)
    at: str = "base"
    stands_at: str | None = None


OUTSIDE = (
    "with op.get_context().autocommit_block():\n    op.execute('CREATE TABLE c (i int)')\n1 / 0"
)
MODELS = {"alembic.target_metadata": "myapp.models:Base.metadata"}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(0, "upgrade"), id="done"),
        pytest.param(Case(0, "upgrade", at="heads"), id="nothing to do"),
        pytest.param(Case(0, "current --check-heads", at="heads"), id="no revision is pending"),
        pytest.param(Case(1, "upgrade", tuple(failing("1 / 0"))), id="failed and rolled back"),
        pytest.param(Case(2, "upgrade --frob"), id="unknown option"),
        pytest.param(Case(2, "upgrade zzzz"), id="unknown revision"),
        pytest.param(Case(2, "downgrade base", (A, KEPT), "heads"), id="irreversible"),
        pytest.param(Case(2, "plan --down base", (A, KEPT), "heads"), id="a plan of that"),
        pytest.param(Case(2, "downgrade current:base --sql", (A, KEPT), "heads"), id="SQL of that"),
        pytest.param(Case(2, "downgrade -1 -y", (A, MISSPELT), "heads"), id="misspelt comment"),
        pytest.param(Case(2, "plan", (A, MISSPELT)), id="a plan of that comment"),
        pytest.param(Case(0, "downgrade base -y", (A, MISSPELT), "aaaa1111"), id="no run needs it"),
        pytest.param(Case(3, "current --check-heads"), id="a revision is pending"),
        pytest.param(Case(3, "check"), id="nothing to compare with yet"),
        pytest.param(Case(4, "check", at="heads"), id="models and database differ"),
        pytest.param(Case(7, "upgrade", at="heads", stands_at="ffff"), id="the database is ahead"),
        pytest.param(Case(8, "upgrade head", (A, B, OTHER_B)), id="several heads"),
        pytest.param(Case(9, "upgrade", tuple(failing(OUTSIDE))), id="half applied"),
    ],
)
def test_the_exit_status(make_app: MakeApp, database_url: str, case: Case) -> None:
    ini = make_app(database_url, case.revisions, MODELS)
    if case.at != "base":
        assert invoke(ini, "upgrade", case.at).returncode == 0
    if case.stands_at:
        change(database_url, f"UPDATE alembic_version SET version_num = '{case.stands_at}'")

    result = invoke(ini, *case.command.split())

    assert result.returncode == case.returncode
    assert bool(result.stdout) == (case.returncode == 0)
    if case.at == "heads" and not case.stands_at:
        assert heads(database_url) == {"bbbb2222"}
    assert ("Error: " in result.stderr) == (case.returncode != 0)
    assert "Traceback" not in result.stderr


def test_the_installed_command_ends_with_the_status(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, failing("1 / 0"))
    assert run(ini, "upgrade", "zzzz", installed=True).returncode == 2
    assert run(ini, "upgrade", installed=True).returncode == 1
    assert run(ini, "current", "--check-heads", installed=True).returncode == 3


# 7: the database is ahead

AHEAD = ahead_message("ffff9999")


@pytest.fixture
def ahead(make_app: MakeApp, database_url: str) -> Path:
    """An application whose database stands at ffff9999."""
    ini = make_app(database_url, [A])
    invoke(ini, "upgrade")
    change(database_url, "UPDATE alembic_version SET version_num = 'ffff9999'")
    return ini


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("upgrade", " If this code is to run on it, add `--allow-ahead`."),
        ("downgrade base", ""),
        ("downgrade -1", ""),
        ("current", ""),
        ("current --check-heads", ""),
        ("check", ""),
        ("history -i", ""),
        ("show current", ""),
        ("upgrade current:head --sql", ""),
        ("revision --autogenerate -m x", ""),
        ("ensure-version", ""),
        ("stamp head", ""),
        ("repair --yes", ""),
    ],
)
def test_a_database_that_is_ahead(
    tmp_path: Path, ahead: Path, database_url: str, command: str, more: str
) -> None:
    hint = AHEAD_HINT.replace("{cmd}", f"myapp-migrate {ahead}") + more
    refused(tmp_path, 7, AHEAD, hint, ahead, *command.split())
    assert heads(database_url) == {"ffff9999"}


def test_a_purge_brings_a_database_back_that_is_ahead(ahead: Path, database_url: str) -> None:
    assert invoke(ahead, "stamp", "--purge", "head").returncode == 0
    assert heads(database_url) == {"aaaa1111"}
    assert invoke(ahead, "current").returncode == 0


# 8: several heads


FORK = """\
* bbbb2222 add b
| * bbbb3333 add phone
|/
* aaaa1111 add a"""


@pytest.mark.parametrize(
    ("command", "asked", "how"),
    [
        ("upgrade head", "upgrade", ""),
        ("upgrade head --sql", "upgrade", ""),
        ("revision -m x", "revision", " with `--head`"),
        ("stamp head", "stamp head", ""),
        ("show head", "show head", ""),
        ("merge head", "merge", ""),
    ],
)
def test_several_heads(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str, command: str, asked: str, how: str
) -> None:
    ini = make_app(sqlite_url, [A, B, OTHER_B])
    error = f"2 heads: bbbb2222 (add b), bbbb3333 (add phone). `{asked}` can't choose one.\n{FORK}"
    hint = f'join them with `myapp-migrate {ini} merge heads -m "join"`, or name one{how}.'
    refused(tmp_path, 8, error, hint, ini, *command.split())


HEADS = [A, B, OTHER_B]
TOLD = (
    "Warning: there are 2 heads: bbbb2222 (add b), bbbb3333 (add phone). `upgrade` goes to all of"
    " them, and the next `revision` can't choose one; `merge heads` joins them.\n"
)


def test_an_upgrade_to_several_heads_warns_of_them(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, HEADS)
    for command in (["upgrade"], ["upgrade"], ["upgrade", "heads"]):  # the later ones are idle
        result = invoke(ini, *command)
        assert (result.returncode, result.stderr.count(TOLD)) == (0, 1)
    write_env(ini, foreign_env())
    assert invoke(ini, "upgrade").stderr == TOLD
    assert invoke(ini, "upgrade", "bbbb2222").stderr == ""


def test_branches_that_have_labels_are_meant_to_stay_apart(
    make_app: MakeApp, sqlite_url: str
) -> None:
    labelled = [replace(B, branch_labels="b"), replace(OTHER_B, branch_labels="phone")]
    ini = make_app(sqlite_url, [A, *labelled])
    assert "heads" not in invoke(ini, "upgrade").stderr
    add_revision(ini.parent / "migrations", B)
    assert "there are 2 heads" in invoke(ini, "upgrade").stderr


def test_check_finds_several_heads(tmp_path: Path, make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, HEADS)
    invoke(ini, "upgrade")
    error = (
        "2 heads: bbbb2222 (add b), bbbb3333 (add phone). The next `revision` can't choose one.\n"
        f"{FORK}"
    )
    hint = (
        f'join them with `myapp-migrate {ini} merge heads -m "join"`, or give each branch a label'
        " in `branch_labels` if they are to stay apart."
    )
    refused(tmp_path, 8, error, hint, ini, "check")


def test_a_step_down_from_several_heads(tmp_path: Path, make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [A, B, OTHER_B])
    invoke(ini, "upgrade")
    before = files(tmp_path)
    result = invoke(ini, "downgrade", "-1")
    assert result.returncode == 8
    assert "`downgrade -1` can't choose one." in result.stderr
    assert files(tmp_path) == before


# 70: nobody expected it

UNEXPECTED = (
    "Unexpected RuntimeError: postgresql://shop:***@h/shop. This is a bug, or something that"
    " this command doesn't know of."
)
SURPRISE = """\
from alembic import context
from alembic.script import write_hooks
from myapp.migrator.environment import run_migrations


@write_hooks.register("surprise")
def surprise(path, options):
    raise RuntimeError("postgresql://shop:hunter2@h/shop")


run_migrations()
"""


@pytest.fixture
def surprising(tmp_path: Path, make_app: MakeApp) -> Path:
    """An application with a hook of its own, which raises what no one has thought of."""
    ini = make_app(
        f"sqlite:///{tmp_path}/shop.sqlite",
        [A],
        {"alembic.revision_environment": "true"},
        extra="[post_write_hooks]\nhooks = own\nown.type = surprise\n",
    )
    (tmp_path / "migrations" / "env.py").write_text(SURPRISE)
    return ini


def test_an_unexpected_error(surprising: Path) -> None:
    result = invoke(surprising, "revision", "-m", "x")
    hint = "add `--traceback` to see where it came from."
    assert result.returncode == 70
    assert result.stdout == ""
    assert result.stderr.endswith(told(UNEXPECTED, hint))
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("before", [True, False])
def test_a_traceback_comes_when_it_is_asked_for_and_without_secrets(
    surprising: Path, before: bool
) -> None:
    args = [surprising, "revision", "-m", "x"]
    result = run("--traceback", *args) if before else run(*args, "--traceback")
    assert result.returncode == 70
    assert result.stdout == ""
    assert "Traceback (most recent call last):\n" in result.stderr
    assert "RuntimeError: postgresql://shop:***@h/shop\n" in result.stderr
    assert f"Error: {UNEXPECTED}\n" in result.stderr
    assert "hunter2" not in result.stderr


# 130 and 143: interrupted and terminated

INTERRUPTIONS = [
    pytest.param(signal.SIGINT, 130, "Interrupted", id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, "Terminated", id="SIGTERM"),
]
Interrupt = Callable[..., Result]


@pytest.fixture
def interrupt(tmp_path: Path, start: Start) -> Interrupt:
    """Run the command, and send it a signal when it has come to the line `here()`."""

    def interrupt(ini: Path, *args: str, number: int) -> Result:
        process = start(ini, *args)
        until((tmp_path / "here").exists)
        time.sleep(0.3)  # for the statement after that line to reach the database
        process.signal(number)
        return process.finish(20)

    return interrupt


def here(tmp_path: Path) -> str:
    return f"from pathlib import Path; Path({str(tmp_path / 'here')!r}).touch()"


@pytest.mark.parametrize(("number", "returncode", "what"), INTERRUPTIONS)
def test_a_migration_that_is_interrupted_outside_of_the_database_is_rolled_back(
    tmp_path: Path,
    make_app: MakeApp,
    database_url: str,
    interrupt: Interrupt,
    number: int,
    returncode: int,
    what: str,
) -> None:
    ini = make_app(database_url, failing(f"{here(tmp_path)}\nimport time; time.sleep(300)"))

    result = interrupt(ini, "upgrade", number=number)

    assert result.returncode == returncode
    assert result.stdout == ""
    assert result.stderr.splitlines()[1:] == [
        f"Error: {what} in revision bbbb2222 (add b). The database stands at aaaa1111 (add a)."
    ]
    assert tables(database_url) == {"a", "alembic_version"}
    assert heads(database_url) == {"aaaa1111"}
    assert invoke(ini, "current") == Result(0, "aaaa1111, add a\n", "")


def test_an_interrupted_wait_for_a_lock_gives_it_up(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str, interrupt: Interrupt
) -> None:
    wait = f"{here(tmp_path)}\nop.execute('ALTER TABLE a ADD COLUMN note text')"
    ini = make_app(postgresql_url, failing(wait), {"migrate.lock_timeout": "5"})
    invoke(ini, "upgrade", "aaaa1111")
    with connection_to(postgresql_url) as other:
        other.exec_driver_sql("LOCK TABLE a")
        result = interrupt(ini, "upgrade", number=signal.SIGTERM)

    assert result.returncode == 143
    assert result.stderr == told(
        "Terminated in revision bbbb2222 (add b). The database stands at aaaa1111 (add a).", None
    )
    assert tables(postgresql_url) == {"a", "alembic_version"}


def test_an_interruption_outside_a_transaction_lists_what_stays(
    tmp_path: Path, make_app: MakeApp, postgresql_url: str, interrupt: Interrupt
) -> None:
    block = f"op.execute('CREATE TABLE c (i int)')\n{here(tmp_path)}\nimport time; time.sleep(300)"
    code = f"with op.get_context().autocommit_block():\n{indent(block, '    ')}"
    ini = make_app(postgresql_url, failing(code))

    result = interrupt(ini, "upgrade", number=signal.SIGINT)

    assert result.returncode == 130
    assert result.stderr.splitlines()[1:] == [
        "Error: Interrupted in revision bbbb2222 (add b). The database stands at aaaa1111 (add a)."
        " Of bbbb2222, this was committed and stays:",
        "         CREATE TABLE b ( id SERIAL NOT NULL, PRIMARY KEY (id) )",
        "         CREATE TABLE c (i int)",
        "       The list may not be complete.",
        "Hint:  undo by hand what was committed, or let"
        f" {ini.parent / 'migrations/versions/bbbb2222_.py'} skip it; then run the command again.",
    ]
    assert tables(postgresql_url) == {"a", "b", "c", "alembic_version"}


@pytest.mark.parametrize(("number", "returncode", "what"), INTERRUPTIONS)
@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_an_interruption_before_any_migration(
    tmp_path: Path,
    make_app: MakeApp,
    sqlite_url: str,
    interrupt: Interrupt,
    command: str,
    number: int,
    returncode: int,
    what: str,
) -> None:
    ini = make_app(sqlite_url, [A])
    env = tmp_path / "migrations" / "env.py"
    env.write_text(f"{here(tmp_path)}\nimport time; time.sleep(300)\n{env.read_text()}")

    result = interrupt(ini, command, number=number)

    hint = f"`myapp-migrate {ini} current` tells where the database stands."
    assert result == Result(returncode, "", told(f"{what}.", hint))
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize(("number", "returncode", "what"), INTERRUPTIONS)
def test_an_interrupted_wait_for_a_server_that_does_not_answer(
    tmp_path: Path,
    make_app: MakeApp,
    interrupt: Interrupt,
    number: int,
    returncode: int,
    what: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ini = make_app(f"postgresql://shop@127.0.0.1:{silent.getsockname()[1]}/shop", [A])
        env = tmp_path / "migrations" / "env.py"
        env.write_text(f"{here(tmp_path)}\n{env.read_text()}")

        result = interrupt(ini, "upgrade", number=number)

    hint = f"`myapp-migrate {ini} current` tells where the database stands."
    assert result == Result(returncode, "", told(f"{what}.", hint))


# Standard output and standard error that can't be written


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    """An application with more history than a pipe holds at once."""
    ini = make_app(sqlite_url, [A])
    for number in range(300):
        parent = f"c{number - 1:04}" if number else "aaaa1111"
        revision = Revision(f"c{number:04}", parent, message="a long message " * 20)
        add_revision(ini.parent / "migrations", revision)
    return ini


def shell(command: str) -> Result:
    """Run a line in a shell, `M` standing for the command."""
    line = command.replace("M ", f"'{SCRIPTS / 'myapp-migrate'}' ")
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, text=True)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", ["history", "history --json", "history -v", "upgrade --sql"])
def test_a_reader_that_has_seen_enough_is_no_error(ini: Path, command: str) -> None:
    result = shell(f"M '{ini}' {command} | head -1; exit ${{PIPESTATUS[0]}}")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("command", ["--help", "app.ini upgrade --help", "--version"])
def test_a_reader_of_the_help_that_has_gone_is_no_error(command: str) -> None:
    result = shell(f"M {command} | true; exit ${{PIPESTATUS[0]}}")
    assert result == Result(0, "", "")


def test_an_upgrade_whose_answer_nobody_reads_is_done(ini: Path, sqlite_url: str) -> None:
    result = shell(f"M '{ini}' upgrade -q aaaa1111 | true; exit ${{PIPESTATUS[0]}}")
    assert result == Result(0, "", "")
    assert heads(sqlite_url) == {"aaaa1111"}


LOST = (
    "Standard output can't be written: No space left on device. The command has done its work, but"
    " its answer is lost."
)
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that Linux has")


@full
@pytest.mark.parametrize("command", ["upgrade aaaa1111", "heads", "heads --json", "upgrade --sql"])
def test_a_full_standard_output_is_told(ini: Path, command: str) -> None:
    result = shell(f"M '{ini}' {command} > /dev/full")
    hint = f"send it where there is room; `myapp-migrate {ini} current` tells where the database"
    assert result.returncode == 2
    assert result.stderr.endswith(told(LOST, f"{hint} stands."))
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


@full
def test_a_full_standard_output_undoes_no_migration(ini: Path, sqlite_url: str) -> None:
    shell(f"M '{ini}' upgrade aaaa1111 > /dev/full")
    assert heads(sqlite_url) == {"aaaa1111"}


@full
@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
def test_a_lost_standard_error_stops_no_migration(ini: Path, sqlite_url: str, stream: str) -> None:
    result = shell(f"M '{ini}' upgrade aaaa1111 {stream}")
    assert result.returncode == 0
    assert result.stdout.endswith(" is at aaaa1111 (add a).\n")
    assert heads(sqlite_url) == {"aaaa1111"}


@full
@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(
    ("command", "status"), [("upgrade zzzz", 2), ("upgrade --frob", 2), ("current -c", 3)]
)
def test_a_lost_standard_error_changes_no_exit_status(
    ini: Path, command: str, status: int, stream: str
) -> None:
    assert shell(f"M '{ini}' {command} {stream}") == Result(status, "", "")


@full
@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
def test_help_that_can_not_be_shown_is_no_crash(stream: str) -> None:
    assert shell(f"M {stream}") == Result(2, "", "")


@full
def test_an_error_that_can_not_be_told_as_json_is_told_as_text(ini: Path) -> None:
    result = shell(f"M '{ini}' upgrade zzzz --json > /dev/full")
    hint = f"`myapp-migrate {ini} history` lists the revisions."
    assert result == Result(2, "", told("There is no revision `zzzz`.", hint))
