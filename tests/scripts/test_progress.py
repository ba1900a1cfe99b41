"""The story of a run: each revision as it is applied, on a terminal and in a log."""

import io
import os
import re
import subprocess
import threading
from contextlib import redirect_stderr, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from support.command import SCRIPTS, invoke, run
from support.examples import pairs
from support.history import MakeApp, Revision, add_revision, create_table
from support.sessions import session as session_of
from support.terminal import run_on_terminal, screen

from myapp.migrator.base.errors import MigrateError
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.commands.migration import upgrade
from myapp.scripts.durations import format_seconds
from myapp.scripts.invocation import Invocation
from myapp.scripts.progress import STILL_RUNNING, Terminal
from myapp.scripts.session import Session

REPOSITORY = Path(__file__).parents[2]
TWO = [
    Revision("aaaa1", None, "create a", **create_table("a")),
    Revision("bbbb2", "aaaa1", "create b", **create_table("b")),
]
#: As a cookiecutter's env.py does: it sets up logging again.
FOREIGN_ENV = """\
from alembic import context
from logging.config import fileConfig
from sqlalchemy import engine_from_config, pool

config = context.config
fileConfig(config.config_file_name)
section = config.get_section(config.config_ini_section)
engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
LOGGING = """
[loggers]
keys = root, sqlalchemy
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = {root}
handlers = console
[logger_sqlalchemy]
level = WARNING
handlers =
qualname = sqlalchemy.engine
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(levelname)s %(message)s
"""


def timeless(text: str) -> str:
    """Return `text` with every duration and the database's name the same."""
    text = re.sub(r"/\S+/test\.sqlite", "NAME", text)
    return re.sub(r"\b(\d+ ms|\d+\.\d s)", "5 ms", text)


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    return make_app(sqlite_url, TWO)


# In a pipe or a log


def test_each_revision_is_one_line_with_its_message_and_time(ini: Path) -> None:
    result = run(ini, "upgrade")
    assert timeless(result.stderr) == ("[1/2] aaaa1 create a  5 ms\n[2/2] bbbb2 create b  5 ms\n")
    assert timeless(result.stdout) == (
        "Upgraded 2 revisions in 5 ms: NAME is at bbbb2 (create b).\n"
    )


def test_a_downgrade_says_so(ini: Path) -> None:
    invoke(ini, "upgrade")
    result = invoke(ini, "downgrade", "base")
    assert timeless(result.stderr) == (
        "Drops: table b: it has no rows (bbbb2)\nDrops: table a: it has no rows (aaaa1)\n"
        "[1/2] bbbb2 create b (downgrade)  5 ms\n[2/2] aaaa1 create a (downgrade)  5 ms\n"
    )
    assert timeless(result.stdout) == (
        "Downgraded 2 revisions in 5 ms: NAME is at base (no revision).\n"
    )


def test_a_run_that_has_nothing_to_do_says_where_the_database_stands(ini: Path) -> None:
    invoke(ini, "upgrade")
    result = invoke(ini, "upgrade")
    assert (timeless(result.stdout), result.stderr) == (
        "Nothing to do: NAME is at bbbb2 (create b).\n",
        "",
    )


def test_counters_align(make_app: MakeApp, sqlite_url: str) -> None:
    ids = [f"r{number}" for number in range(10)]
    line = [Revision(id_, before) for before, id_ in pairwise([None, *ids])]
    last = invoke(make_app(sqlite_url, line), "upgrade").stderr.splitlines()[-2:]
    assert [timeless(line) for line in last] == [
        "[ 9/10] r8 a change  5 ms",
        "[10/10] r9 a change  5 ms",
    ]


def test_a_line_that_a_revision_has_begun_is_ended_first(
    make_app: MakeApp, sqlite_url: str
) -> None:
    begins = Revision("aaaa1", upgrade="print('10 rows', end='')")
    assert timeless(invoke(make_app(sqlite_url, [begins]), "upgrade").stderr) == (
        "10 rows\n[1/1] aaaa1 a change  5 ms\n"
    )


def test_an_engine_that_echoes_keeps_its_own_lines(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, TWO[:1], {"sqlalchemy.echo": "true"})
    result = invoke(ini, "upgrade")
    assert "\n[1/1] aaaa1 create a  " in result.stderr
    assert result.stdout.startswith("Upgraded 1 revision in ")


def test_a_revision_without_a_message_is_its_id(make_app: MakeApp, sqlite_url: str) -> None:
    result = invoke(make_app(sqlite_url, [Revision("aaaa1", message="")]), "upgrade")
    assert timeless(result.stderr) == "[1/1] aaaa1  5 ms\n"


def test_each_line_is_there_when_its_revision_is_done(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    seen = f"import pathlib; pathlib.Path({str(tmp_path / 'seen')!r}).write_text("
    seen += f"pathlib.Path({str(log)!r}).read_text())"
    ini = make_app(sqlite_url, [*TWO, Revision("cccc3", "bbbb2", upgrade=seen)])
    with log.open("w") as stderr:
        subprocess.run([SCRIPTS / "myapp-migrate", ini, "upgrade"], stderr=stderr, check=True)
    assert timeless((tmp_path / "seen").read_text()) == (
        "[1/3] aaaa1 create a  5 ms\n[2/3] bbbb2 create b  5 ms\n"
    )


def test_quiet_says_nothing(ini: Path) -> None:
    for command in (["upgrade"], ["upgrade"], ["downgrade", "base"], ["stamp", "heads"]):
        result = invoke(ini, *command, "--quiet")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_quiet_still_answers_a_question(ini: Path) -> None:
    assert invoke(ini, "heads", "-q").stdout == "bbbb2 (head), create b\n"
    assert invoke(ini, "upgrade", "--sql", "-q").stdout.startswith("BEGIN;\n")


def test_quiet_still_shows_errors(ini: Path) -> None:
    result = invoke(ini, "upgrade", "zzzz", "-q")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: There is no revision `zzzz`.\n")


def test_quiet_silences_logs_and_warnings_but_no_logged_error(
    make_app: MakeApp, sqlite_url: str
) -> None:
    logs = "import logging; logging.warning('a warning'); logging.error('an error')"
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=logs)], extra=LOGGING.format(root="INFO"))
    (ini.parent / "migrations" / "env.py").write_text(FOREIGN_ENV)
    assert run(ini, "upgrade", "-q").stderr == "ERROR an error\n"
    invoke(ini, "downgrade", "base")
    assert "WARNING a warning\n" in run(ini, "upgrade").stderr


def test_the_answer_is_whole_when_the_story_is_thrown_away(ini: Path) -> None:
    with Path(os.devnull).open("w") as nowhere:
        done = subprocess.run(
            [SCRIPTS / "myapp-migrate", ini, "upgrade"],
            stdout=subprocess.PIPE,
            stderr=nowhere,
            check=True,
            text=True,
        )
    assert timeless(done.stdout) == ("Upgraded 2 revisions in 5 ms: NAME is at bbbb2 (create b).\n")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_a_closed_stream_stops_no_migration(ini: Path, closed: str) -> None:
    command = f"'{SCRIPTS / 'myapp-migrate'}' '{ini}' upgrade {closed}"
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0
    assert invoke(ini, "current").stdout == "bbbb2 (head), create b\n"


def test_a_reader_of_the_story_that_left_stops_no_migration(ini: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [SCRIPTS / "myapp-migrate", ini, "upgrade", "-v"],
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, "Upgraded 2 revisions" in done.stdout) == (0, True)


# A revision that takes long


def told_of_a_slow_upgrade(ini: Path, *options: str, seconds: float = 0.2) -> str:
    """Upgrade with a first sign of life after `seconds` and return the story."""
    session = Session(Invocation(str(ini), command="upgrade", quiet="-q" in options))
    stderr = io.StringIO()
    with redirect_stderr(stderr), session.console.story():
        config = build_context(session.settings(), watcher=Terminal(session.console, seconds))
        with suppress(MigrateError):
            upgrade(config)
    assert not [thread.name for thread in threading.enumerate() if thread.name == STILL_RUNNING]
    return stderr.getvalue()


def test_a_slow_revision_says_that_it_is_still_running(
    make_app: MakeApp, postgresql_url: str
) -> None:
    # The driver waits in C for all that time.
    slow = Revision("bbbb2", "aaaa1", "fill a", upgrade="op.execute('SELECT pg_sleep(0.7)')")
    story = told_of_a_slow_upgrade(make_app(postgresql_url, [TWO[0], slow]))
    assert list(dict.fromkeys(timeless(story).splitlines())) == [
        "[1/2] aaaa1 create a  5 ms",
        "[2/2] bbbb2 fill a  still running, 5 ms",
        "[2/2] bbbb2 fill a  5 ms",
    ]


def test_the_signs_of_life_come_at_growing_intervals(make_app: MakeApp, sqlite_url: str) -> None:
    slow = Revision("aaaa1", upgrade="import time; time.sleep(1)")
    story = told_of_a_slow_upgrade(make_app(sqlite_url, [slow]), seconds=0.1)
    told = [int(found) for found in re.findall(r"still running, (\d+) ms", story)]
    assert told[0] >= 100
    # Twice as long each time, but for what rounding takes.
    assert all(later >= 1.9 * sooner for sooner, later in pairwise(told))
    assert 2 <= len(told) <= 4


def test_many_quick_revisions_say_nothing_of_it(make_app: MakeApp, sqlite_url: str) -> None:
    short = "import time; time.sleep(0.1)"
    line = [Revision(f"r{n}000", f"r{n - 1}000" if n else None, upgrade=short) for n in range(9)]
    story = told_of_a_slow_upgrade(make_app(sqlite_url, line), seconds=0.5)
    assert (story.count("\n"), "still" in story) == (9, False)


def test_quiet_silences_it(make_app: MakeApp, sqlite_url: str) -> None:
    slow = Revision("aaaa1", upgrade="import time; time.sleep(0.5)")
    assert told_of_a_slow_upgrade(make_app(sqlite_url, [slow]), "-q") == ""


def test_a_revision_that_failed_is_running_no_more(make_app: MakeApp, sqlite_url: str) -> None:
    slow = Revision("aaaa1", upgrade="import time; time.sleep(0.6); raise ValueError")
    story = told_of_a_slow_upgrade(make_app(sqlite_url, [slow]), seconds=0.4)
    assert story.count("still running") == 1


def test_the_pause_before_another_try_is_no_running_revision(
    make_app: MakeApp, postgresql_url: str
) -> None:
    alter = Revision("bbbb2", "aaaa1", "add y", upgrade="op.execute('ALTER TABLE a ADD y int')")
    settings = {"migrate.lock_timeout": "0.1", "migrate.retries": "2"}
    ini = make_app(postgresql_url, [TWO[0], alter], settings)
    invoke(ini, "upgrade", "aaaa1")
    with session_of(postgresql_url, "SELECT * FROM a"):
        story = told_of_a_slow_upgrade(ini, seconds=0.5)
    assert ("try 3 of 3" in story, "still running" in story) == (True, False)


def test_the_first_sign_of_life_comes_after_five_seconds(
    make_app: MakeApp, sqlite_url: str
) -> None:
    slow = Revision("aaaa1", message="fill a", upgrade="import time; time.sleep(5.3)")
    result = run(make_app(sqlite_url, [slow]), "upgrade", "--json")
    first, last = result.stderr.splitlines()
    assert re.fullmatch(r"\[1/1\] aaaa1 fill a  still running, 5\.\d s", first)
    assert timeless(last) == "[1/1] aaaa1 fill a  5 ms"


def test_a_terminal_shows_every_second_for_how_long_a_revision_has_been_running(
    make_app: MakeApp, sqlite_url: str
) -> None:
    slow = Revision("aaaa1", message="fill a", upgrade="import time; time.sleep(2.4)")
    written = run_on_terminal(make_app(sqlite_url, [slow]), "upgrade")
    shown = re.findall(r"\[1/1\] aaaa1 fill a \.\.\.(.*?)\r", written)
    # A busy machine may pass over one.
    assert shown in (["", " 1 s", " 2 s"], ["", " 2 s"], ["", " 1 s"])
    assert timeless(screen(written)[0]) == "[1/1] aaaa1 fill a  5 ms"


def test_what_a_revision_has_begun_to_print_is_not_overwritten(
    make_app: MakeApp, sqlite_url: str
) -> None:
    slow = "print('10 rows', end=''); import time; time.sleep(1.2); print(', 20 rows', end='')"
    written = run_on_terminal(make_app(sqlite_url, [Revision("aaaa1", upgrade=slow)]), "upgrade")
    assert timeless("|".join(screen(written)[:2])) == "10 rows, 20 rows|[1/1] aaaa1 a change  5 ms"


# Colour


def test_a_pipe_gets_no_colour(ini: Path) -> None:
    result = run(ini, "upgrade")
    assert "\x1b" not in result.stdout + result.stderr
    assert "\x1b" not in invoke(ini, "history").stdout + invoke(ini, "upgrade", "zzzz").stderr


def test_colour_can_be_had_in_a_pipe(ini: Path) -> None:
    result = run(ini, "upgrade", "--color")
    assert re.sub(r"\d+ ms", "5 ms", result.stderr.splitlines()[0]) == (
        "[1/2] aaaa1 create a  \x1b[32m5 ms\x1b[0m"
    )
    assert "\r" not in result.stderr
    assert invoke(ini, "history", "--color").stdout.startswith(
        "\x1b[32mcurrent \x1b[0maaaa1 -> bbbb2"
    )
    error = invoke(ini, "upgrade", "zzzz", "--color").stderr
    assert error.startswith("\x1b[31m\x1b[1mError:\x1b[0m There is no revision `zzzz`.\n")


def test_an_option_wins_over_no_color(ini: Path) -> None:
    assert "\x1b" in run(ini, "history", "--color", env={"NO_COLOR": "1"}).stdout


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_terminal_without_colour_is_overwritten_all_the_same(ini: Path, way: str) -> None:
    arguments = ["--no-color"] if way == "option" else []
    written = run_on_terminal(
        ini,
        "upgrade",
        *arguments,
        columns=200,
        env={"NO_COLOR": "1" if way == "variable" else ""},
    )
    assert not re.search(r"\x1b\[[0-9;]*m", written)
    assert timeless("\n".join(screen(written, 200))) == (
        "[1/2] aaaa1 create a  5 ms\n"
        "[2/2] bbbb2 create b  5 ms\n"
        "Upgraded 2 revisions in 5 ms: NAME is at bbbb2 (create b).\n"
    )


def test_a_terminal_gets_colour(ini: Path) -> None:
    assert "\x1b[32m" in run_on_terminal(ini, "upgrade")
    assert "\x1b[32mcurrent" in run_on_terminal(ini, "history")


# On a terminal


def test_the_running_revision_is_shown_and_overwritten(ini: Path) -> None:
    written = run_on_terminal(ini, "upgrade", columns=200)
    assert "[1/2] aaaa1 create a ...\r\x1b[K[1/2] aaaa1 create a  \x1b[32m" in written
    assert timeless("\n".join(screen(written, 200))) == (
        "[1/2] aaaa1 create a  5 ms\n"
        "[2/2] bbbb2 create b  5 ms\n"
        "Upgraded 2 revisions in 5 ms: NAME is at bbbb2 (create b).\n"
    )


LONG = "rename the column that holds the number of the street in every table of addresses at once"


@pytest.mark.parametrize(
    ("message", "columns"),
    pairs([LONG, "住所テーブルの番地列の名前を変更する" * 3, "ändere 😀 die Straße"], [20, 80]),
)
def test_a_long_message_leaves_nothing_behind(
    make_app: MakeApp, sqlite_url: str, message: str, columns: int
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=message)])
    written = run_on_terminal(ini, "upgrade", columns=columns)
    passing, _, rest = written.partition("\r\x1b[K")
    assert passing.endswith(" ...")
    assert len(screen(passing, columns - 1)) == 1
    assert timeless("".join(screen(rest, columns))) == timeless("".join(screen(written, columns)))
    shown = re.sub(r"\s", "", timeless("".join(screen(written, columns))))
    assert shown.startswith(re.sub(r"\s", "", f"[1/1] aaaa1 {message}  5 ms"))


def test_a_terminal_that_does_not_tell_its_size_is_taken_for_80_columns(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=LONG)])
    passing, _, _ = run_on_terminal(ini, "upgrade", columns=0).partition("\r\x1b[K")
    assert len(passing) == 79


def test_what_a_migration_prints_takes_the_place_of_the_running_line(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=LONG, upgrade="print('10 rows')")])
    shown = screen(run_on_terminal(ini, "upgrade", columns=200), 200)
    assert timeless("\n".join(shown[:2])) == f"10 rows\n[1/1] aaaa1 {LONG}  5 ms"


def test_an_error_takes_the_place_of_the_running_line(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message=LONG, upgrade="raise OSError('no')")])
    shown = screen(run_on_terminal(ini, "upgrade", columns=200), 200)
    assert shown[0] == f"Error: Revision aaaa1 ({LONG}) failed and was rolled back: OSError: no."
    assert shown[1] == "       The database stands at base (no revision)."


def test_a_dumb_terminal_gets_a_log_without_colour(ini: Path) -> None:
    written = run_on_terminal(ini, "upgrade", columns=200, env={"TERM": "dumb"})
    assert timeless(written) == (
        "[1/2] aaaa1 create a  5 ms\r\n"
        "[2/2] bbbb2 create b  5 ms\r\n"
        "Upgraded 2 revisions in 5 ms: NAME is at bbbb2 (create b).\r\n"
    )


# SQL as it runs


@pytest.mark.parametrize("environment", ["own", "foreign"])
def test_verbose_shows_the_sql_of_each_revision_as_it_runs(
    make_app: MakeApp, sqlite_url: str, environment: str
) -> None:
    insert = "op.get_bind().execute(sa.text('INSERT INTO b (id) VALUES (:id)'), {'id': 7})"
    revisions = [*TWO, Revision("cccc3", "bbbb2", "fill b", upgrade=insert)]
    ini = make_app(sqlite_url, revisions, extra=LOGGING.format(root="WARNING"))
    if environment == "foreign":
        (ini.parent / "migrations" / "env.py").write_text(FOREIGN_ENV)
    told = timeless(invoke(ini, "upgrade", "-v").stderr).replace("\t", "").replace(" \n", "\n")
    version = "UPDATE alembic_version SET version_num='{}' WHERE alembic_version.version_num = '{}'"
    assert told == (
        "    CREATE TABLE alembic_version (\n"
        "    version_num VARCHAR(32) NOT NULL,\n"
        "    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n"
        "    )\n"
        "    CREATE TABLE a (\n"
        "    id INTEGER NOT NULL,\n"
        "    PRIMARY KEY (id)\n"
        "    )\n"
        "    INSERT INTO alembic_version (version_num) VALUES ('aaaa1') RETURNING version_num\n"
        "[1/3] aaaa1 create a  5 ms\n"
        "    CREATE TABLE b (\n"
        "    id INTEGER NOT NULL,\n"
        "    PRIMARY KEY (id)\n"
        "    )\n"
        f"    {version.format('bbbb2', 'aaaa1')}\n"
        "[2/3] bbbb2 create b  5 ms\n"
        "    INSERT INTO b (id) VALUES (?) -- (7,)\n"
        f"    {version.format('cccc3', 'bbbb2')}\n"
        "[3/3] cccc3 fill b  5 ms\n"
    )


def test_verbose_shows_a_percent_sign_as_it_is_written(
    make_app: MakeApp, postgresql_url: str
) -> None:
    written = "op.execute('SELECT 7 % 4')\nop.get_bind().exec_driver_sql('SELECT 1 %% 2', ())"
    ini = make_app(postgresql_url, [Revision("aaaa1", upgrade=written)])
    told = invoke(ini, "upgrade", "-v").stderr
    assert "\n    SELECT 7 % 4\n    SELECT 1 %% 2\n" in told


def test_verbose_shows_what_a_revision_asks(make_app: MakeApp, sqlite_url: str) -> None:
    asks = "op.get_bind().execute(sa.text('SELECT 1 + 1')).scalar()"
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=asks)])
    assert "\n    SELECT 1 + 1\n" in invoke(ini, "upgrade", "-v").stderr


def test_verbose_shows_what_stamp_writes(ini: Path) -> None:
    invoke(ini, "upgrade", "aaaa1")
    assert invoke(ini, "stamp", "base", "-v").stderr == (
        "    DELETE FROM alembic_version WHERE alembic_version.version_num = 'aaaa1'\n"
    )


def test_verbose_shows_no_sql_where_nothing_is_written(ini: Path) -> None:
    invoke(ini, "upgrade")
    for command in ("current", "history", "upgrade", "heads"):
        assert invoke(ini, command, "-v").stderr == ""


def test_verbose_shortens_long_parameters(make_app: MakeApp, sqlite_url: str) -> None:
    insert = "op.bulk_insert(sa.table('a', sa.column('id')), [{'id': i} for i in range(9000)])"
    ini = make_app(sqlite_url, [TWO[0], Revision("bbbb2", "aaaa1", upgrade=insert)])
    (line,) = [
        line
        for line in invoke(ini, "upgrade", "-v").stderr.splitlines()
        if "INSERT INTO a " in line
    ]
    assert len(line) < 200


# Levels of the .ini files that this project ships


@pytest.mark.parametrize("name", ["development.ini", "production.ini"])
@pytest.mark.parametrize("option", [[], ["-v"]])
def test_the_shipped_files_show_progress_once(
    tmp_path: Path, sqlite_url: str, name: str, option: list[str]
) -> None:
    ini = tmp_path / name
    ini.write_text((REPOSITORY / name).read_text())
    result = run(ini, "upgrade", *option, env={"DATABASE_URL": sqlite_url})
    lines = timeless(result.stderr).splitlines()
    assert [line for line in lines if not line.startswith("    ")] == [
        "[1/2] 4b7e21c09d35 Create users  5 ms",
        "[2/2] c85d3f6a1e90 Add email to users  5 ms",
    ]
    assert result.stderr.count("ALTER TABLE users ADD COLUMN") == len(option)


@pytest.mark.parametrize("name", ["development.ini", "production.ini"])
def test_the_shipped_files_show_a_warning_once(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str, name: str
) -> None:
    warns = "import logging; logging.getLogger('myapp.jobs').warning('slow')"
    make_app(sqlite_url, [Revision("aaaa1", upgrade=warns)])
    text = (REPOSITORY / name).read_text().replace("myapp:migrations", "migrations")
    ini = tmp_path / name
    ini.write_text(text)
    result = run(ini, "upgrade", env={"DATABASE_URL": sqlite_url})
    assert result.stderr.count("slow") == 1
    assert re.search(r"^\d{4}-.* WARNI \[myapp\.jobs:\d+\] slow$", result.stderr, re.MULTILINE)


# Encodings


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"LC_ALL": "C"}, "füge 日本 hinzu"),
        ({"PYTHONIOENCODING": "ascii"}, r"f\xfcge \u65e5\u672c hinzu"),
        (
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            r"f\xfcge \u65e5\u672c hinzu",
        ),
    ],
)
def test_a_message_is_shown_in_every_encoding(
    make_app: MakeApp, sqlite_url: str, env: dict[str, str], shown: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message="füge 日本 hinzu")])
    env = {"PYTHONIOENCODING": "", **env}
    result = run(ini, "upgrade", env=env)
    assert timeless(result.stderr) == f"[1/1] aaaa1 {shown}  5 ms\n"
    assert timeless(result.stdout).endswith(f" ms: NAME is at aaaa1 ({shown}).\n")
    assert run(ini, "heads", env=env).stdout == f"aaaa1 (head), {shown}\n"
    failed = run(ini, "downgrade", "+1", env=env)
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr


def test_sql_that_the_encoding_lacks_is_an_error_and_not_another_sql(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade="op.execute(\"SELECT '日'\")")])
    result = run(ini, "upgrade", "--sql", env={"PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: Standard output is encoded as ascii, which lacks a character of the SQL:"
        " '\\u65e5'.\n"
        "Hint:  run it with PYTHONIOENCODING=utf-8.\n"
    )
    assert "SELECT '日';" in invoke(ini, "upgrade", "--sql").stdout


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0414, "41 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (2.5, "2.5 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (119.6, "2 min 0 s"),
        (200.0, "3 min 20 s"),
        (7325.0, "122 min 5 s"),
    ],
)
def test_a_duration_is_told_as_a_person_reads_it(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_a_revision_added_later_counts_from_one(ini: Path) -> None:
    invoke(ini, "upgrade")
    add_revision(ini.parent / "migrations", Revision("cccc3", "bbbb2", "more"))
    assert timeless(invoke(ini, "upgrade").stderr) == "[1/1] cccc3 more  5 ms\n"
