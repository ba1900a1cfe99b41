"""Nothing that comes from files or the database steers the terminal."""

from pathlib import Path

import pytest
from support.command import invoke, run
from support.history import MakeApp, Revision
from support.sessions import session
from support.terminal import run_on_terminal

from myapp.migrator.base.legible import legible

#: Sets the window's title, clears the screen, goes to the line's start, and turns text around.
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b1m\r\u202e\u2066\u2028"
ESCAPED = EVIL.encode("unicode_escape").decode()
TOLD = r"\x1b]0;owned\x07\x1b[2J\x9b1m"
ALEMBIC_LOG = """
[loggers]
keys = root, alembic
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
[logger_alembic]
level = INFO
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""


def steers(written: str) -> list[str]:
    """Return what of EVIL a terminal would take for a command."""
    found = ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\u202e", "\u2066", "\u2028")
    return [part for part in found if part in written]


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    line = [
        Revision("aaaa1", None, f"evil {ESCAPED} one", branch_labels=f"l{EVIL}"),
        Revision("bbbb1", "aaaa1", f"two\n\nwith {ESCAPED} more"),
        Revision(f"c{EVIL}", "aaaa1", "id"),
    ]
    ini = make_app(sqlite_url, line, extra=ALEMBIC_LOG)
    versions = ini.parent / "migrations" / "versions"
    for number, path in enumerate([*versions.iterdir()]):
        path.rename(path.with_name(f"{number}\x1b]0;owned\x07.py"))
    return ini


@pytest.mark.parametrize(
    "command",
    [
        "heads",
        "heads -v",
        "history",
        "history -v",
        "branches",
        "show bbbb1",
        "show heads",
        "upgrade heads",
        "upgrade -v heads",
        "current",
        "current -v",
        "downgrade base",
        "upgrade --sql bbbb1",
        "upgrade nothing",
        "upgrade --traceback nothing",
        "merge heads -m x",
    ],
)
@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_no_command_writes_it_raw(ini: Path, command: str, extra: list[str]) -> None:
    if command.startswith(("current", "downgrade")):
        invoke(ini, "upgrade", "heads")
    result = invoke(ini, *command.split(), *extra)
    written = result.stdout * (extra == ["--json"] or "--sql" not in command) + result.stderr
    assert steers(written) == []


@pytest.mark.parametrize("command", ["heads", "history", "upgrade heads", "upgrade --sql bbbb1"])
def test_a_terminal_gets_nothing_raw_either(ini: Path, command: str) -> None:
    written = run_on_terminal(ini, *command.split())
    assert steers(written) == []
    assert "owned" in written


def test_an_answer_shows_what_stands_there(ini: Path) -> None:
    assert f"aaaa1 -> bbbb1 (l{TOLD}" in invoke(ini, "history").stdout
    assert f"evil {TOLD} \\u202e\\u2066 one\n" in invoke(ini, "history").stdout


def test_what_the_database_says_is_legible(make_app: MakeApp, postgresql_url: str) -> None:
    line = [
        Revision("aaaa1", upgrade="op.execute('CREATE TABLE a (x int)')"),
        Revision("bbbb1", "aaaa1", upgrade="op.execute('ALTER TABLE a ADD y int')"),
        Revision(
            "cccc1",
            "bbbb1",
            upgrade="op.execute(\"DO $$ BEGIN RAISE EXCEPTION E'x\\u202e\\x1b[2J'; END $$\")",
        ),
    ]
    settings = {"migrate.lock_timeout": "0.3", "migrate.retries": "1"}
    ini = make_app(postgresql_url, line, settings)
    invoke(ini, "upgrade", "aaaa1")
    with session(postgresql_url, 'SELECT x AS "\x1b[2J\u202e" FROM a'):
        blocked = invoke(ini, "upgrade", "bbbb1")
    assert r'SELECT x AS "\x1b[2J\u202e" FROM a' in blocked.stderr
    failed = invoke(ini, "upgrade", "--traceback")
    assert r"x\u202e\x1b[2J" in failed.stderr
    assert steers(blocked.stderr + failed.stderr) == []


def test_what_a_migration_prints_is_its_own_affair(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade="print('\\x1b[1mbold\\x1b[0m')")])
    assert "\x1b[1mbold\x1b[0m\n" in run(ini, "upgrade").stderr


def test_ordinary_text_of_all_languages_is_left_alone() -> None:
    text = "naïve 日本 \u00a0 \u0645\u06cc\u200c\u062e\u0648 👩\u200d👩\u200d👧 😀\n\ttwo"
    assert legible(text) == text
