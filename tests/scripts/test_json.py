"""`--json`: one document on standard output, as docs/json.md describes it."""

import ast
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import SCRIPTS, invoke, run
from support.history import MakeApp, Revision, add_revision, create_table
from support.ini import MakeIni, logging_to

from myapp.migrator.base import errors
from myapp.scripts.console import Console
from myapp.scripts.invocation import Invocation
from myapp.scripts.migrate import cli

REPOSITORY = Path(__file__).parents[2]
REVISIONS = [
    Revision("aaaa1", None, "create a", **create_table("a")),
    Revision("bbbb1", "aaaa1", "create b", **create_table("b"), branch_labels="left"),
    Revision("bbbb2", "aaaa1", "create c", **create_table("c")),
    Revision("cccc1", ("bbbb1", "bbbb2"), "join"),
]


def documented(heading: str) -> dict[str, list[list[str]]]:
    """Return the table below `heading` in docs/json.md: its first column, and names in others."""
    text = (REPOSITORY / "docs" / "json.md").read_text().partition(f"## {heading}\n")[2]
    rows = [
        line.strip("|").split("|")
        for line in text.partition("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    return {
        row[0].strip().replace("`", ""): [re.findall(r"`(\w+)`", column) for column in row[1:]]
        for row in rows[2:]
    }


COMMANDS = {name: set(columns[0]) for name, columns in documented("Documents").items()}
OBJECTS = {name: set(columns[0]) for name, columns in documented("Objects").items()}
ERRORS = {name: set(columns[1]) for name, columns in documented("Errors").items()}
REVISION = OBJECTS["a revision"]


def document(*args: str | os.PathLike[str], status: int = 0) -> dict[str, Any]:
    """Run a command with `--json` and return what it wrote to standard output."""
    result = invoke(*args, "--json")
    assert result.returncode == status, result
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["ok"] == (status == 0)
    return found


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    """An application with a branched history and no database yet."""
    return make_app(sqlite_url, REVISIONS)


@pytest.fixture
def own_ini(make_ini: MakeIni, sqlite_url: str) -> Path:
    """This project's own application."""
    return make_ini(
        {
            "sqlalchemy.url": sqlite_url,
            "alembic.script_location": "myapp:migrations",
            "alembic.target_metadata": "myapp.models:Base.metadata",
        },
        name="own.ini",
    )


EXAMPLES = {
    "upgrade": "upgrade",
    "downgrade": "downgrade base",
    "current": "current",
    "history": "history",
    "heads": "heads",
    "branches": "branches",
    "show": "show bbbb1",
    "revision": "revision -m more",
    "merge": "merge bbbb1 bbbb2 --splice",
    "stamp": "stamp bbbb1",
    "check": "check",
    "edit": "edit cccc1",
    "status": "status",
    "wait": "wait",
    "ensure-version": "ensure-version",
    "repair": "repair",
    "drift": "drift",
    "plan": "plan",
    "scratch": "scratch --json -- true",
    "verify": "verify",
    "init": "init {folder}",
    "list-templates": "list-templates",
    "upgrade --sql": "upgrade --sql",
    "downgrade --sql": "downgrade cccc1:base --sql",
    "show --sql": "show cccc1 --sql",
    "stamp --sql": "stamp cccc1 --sql",
    "ensure-version --sql": "ensure-version --sql",
}


def test_every_command_is_documented_and_has_an_example_here() -> None:
    takes_sql = {
        f"{name} --sql"
        for name, command in cli.commands.items()
        if name != "revision" and any("--sql" in param.opts for param in command.params)
    }
    assert set(COMMANDS) == set(EXAMPLES) == set(cli.commands) | takes_sql


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_document_has_exactly_the_documented_keys(
    name: str, ini: Path, own_ini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    used = own_ini if name == "check" else ini
    assert invoke(used, "upgrade").returncode == 0
    found = document(used, *EXAMPLES[name].format(folder=tmp_path / "new").split())
    assert found.keys() == COMMANDS[name] | {"command", "ok"}
    assert found["command"] == name.removesuffix(" --sql")


@pytest.mark.parametrize("name", ["heads", "history", "branches", "current"])
def test_a_document_has_the_same_keys_where_there_is_nothing_to_tell(
    name: str, make_app: MakeApp, sqlite_url: str
) -> None:
    found = document(make_app(sqlite_url), name)
    assert found.keys() == COMMANDS[name] | {"command", "ok"}
    (lists,) = ({key for key, value in found.items() if value == []},)
    assert lists == COMMANDS[name] - {"database", "at_head", "unmarked", "databases"}


def test_a_revision_is_told_in_full(ini: Path) -> None:
    (revision,) = document(ini, "show", "cccc1")["revisions"]
    assert revision.keys() == REVISION
    assert revision == {
        "revision": "cccc1",
        "down_revisions": ["bbbb1", "bbbb2"],
        "depends_on": [],
        "branch_labels": ["left"],
        "message": "join",
        "doc": "join",
        "path": str(ini.parent / "migrations" / "versions" / "cccc1_.py"),
        "next_revisions": [],
        "is_head": True,
        "created": None,
        "is_branch_point": False,
        "is_merge_point": True,
    }


def test_a_revision_tells_what_it_depends_on(ini: Path) -> None:
    add_revision(ini.parent / "migrations", Revision("dddd1", "cccc1", depends_on=("aaaa1",)))
    (revision,) = document(ini, "heads")["revisions"]
    assert revision["depends_on"] == ["aaaa1"]


def test_a_revision_tells_when_it_was_made(own_ini: Path) -> None:
    (revision,) = document(own_ini, "show", "4b7e21c09d35")["revisions"]
    assert revision["created"] == "2025-01-14T09:30:00"


@pytest.mark.parametrize(
    ("noted", "created"),
    [
        ("2025-01-14 09:30:00.250000+02:00", "2025-01-14T09:30:00.250000+02:00"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_create_date_is_told_as_iso_8601_or_not_at_all(
    ini: Path, noted: str, created: str | None
) -> None:
    doc = f"more\n\nRevision ID: dddd1\nCreate Date: {noted}\n"
    add_revision(ini.parent / "migrations", Revision("dddd1", "cccc1", doc))
    (revision,) = document(ini, "heads")["revisions"]
    assert (revision["revision"], revision["created"]) == ("dddd1", created)


def test_an_upgrade_tells_its_steps(ini: Path, sqlite_url: str) -> None:
    found = document(ini, "upgrade", "bbbb1")
    for step in found["steps"]:
        assert step.keys() == REVISION | OBJECTS["in steps"]
        assert 0 < step["seconds"] < 10
        assert (step["database"], step["schema"]) == (sqlite_url, None)
    assert [step["revision"] for step in found.pop("steps")] == ["aaaa1", "bbbb1"]
    (database,) = found.pop("databases")
    assert database.keys() == OBJECTS["in databases"]
    assert (database["rows"], database["current"]) == (["bbbb1"], ["bbbb1"])
    assert set(database["pending"]) == {"cccc1", "bbbb2"}
    assert found == {
        "command": "upgrade",
        "ok": True,
        "direction": "upgrade",
        "target": "bbbb1",
        "before": [],
        "after": ["bbbb1"],
        "is_past": False,
        "database": sqlite_url,
    }


def test_an_upgrade_that_does_nothing_tells_whether_it_is_past(ini: Path) -> None:
    document(ini, "upgrade", "cccc1")
    for target, is_past in {"cccc1": False, "aaaa1": True}.items():
        found = document(ini, "upgrade", target)
        assert (found["steps"], found["before"], found["after"]) == ([], ["cccc1"], ["cccc1"])
        assert found["is_past"] is is_past


def test_a_downgrade_tells_its_steps(ini: Path) -> None:
    document(ini, "upgrade")
    found = document(ini, "downgrade", "aaaa1")
    assert (found["direction"], found["before"], found["after"]) == (
        "downgrade",
        ["cccc1"],
        ["aaaa1"],
    )
    assert {step["revision"] for step in found["steps"]} == {"cccc1", "bbbb1", "bbbb2"}


def test_a_stamp_tells_from_where_to_where_and_in_which_database(
    ini: Path, sqlite_url: str
) -> None:
    document(ini, "stamp", "bbbb1")
    found = document(ini, "stamp", "cccc1")
    assert (found["before"], found["after"]) == (["bbbb1"], ["cccc1"])
    assert found["database"] == sqlite_url


def test_a_database_on_a_server_is_told_without_its_password(
    make_app: MakeApp, postgresql_url: str
) -> None:
    user, _, rest = postgresql_url.removeprefix("postgresql://").partition(":")
    assert document(make_app(postgresql_url, REVISIONS), "upgrade")["database"] == (
        f"postgresql+psycopg2://{user}:***{rest[rest.index('@') : rest.index('?')]}"
    )


def test_history_gives_each_revision_its_state(ini: Path) -> None:
    document(ini, "upgrade", "bbbb1")
    found = document(ini, "history")
    for revision in found["revisions"]:
        assert revision.keys() == REVISION | OBJECTS["in history"]
    assert {each["revision"]: each["state"] for each in found["revisions"]} == {
        "cccc1": "pending",
        "bbbb2": "pending",
        "bbbb1": "current",
        "aaaa1": "applied",
    }
    assert found["unmarked"] is None


def test_history_says_why_it_knows_no_states(make_app: MakeApp) -> None:
    url = "postgresql://deploy:s3cret@/nowhere?host=/nowhere"
    found = document(make_app(url, REVISIONS), "history")
    assert {each["state"] for each in found["revisions"]} == {None}
    assert found["unmarked"].startswith("The database can't be used: connection to server")


def test_current_tells_where_the_database_stands(ini: Path, sqlite_url: str) -> None:
    document(ini, "upgrade", "bbbb1")
    found = document(ini, "current")
    assert found["database"] == sqlite_url
    assert found["rows"] == ["bbbb1"]
    assert [each["revision"] for each in found["current"]] == ["bbbb1"]
    assert found["current"][0].keys() == REVISION
    assert (set(found["pending"]), found["at_head"]) == ({"cccc1", "bbbb2"}, False)
    document(ini, "upgrade")
    found = document(ini, "current")
    assert (found["pending"], found["at_head"]) == ([], True)


def test_branches_tell_what_follows(ini: Path) -> None:
    (branch,) = document(ini, "branches")["branches"]
    assert branch.keys() == REVISION | OBJECTS["in branches"]
    assert (branch["revision"], branch["is_branch_point"]) == ("aaaa1", True)
    assert [each["revision"] for each in branch["followers"]] == ["bbbb1", "bbbb2"]
    assert branch["followers"][0].keys() == REVISION


def test_templates_have_a_name_and_a_description(ini: Path) -> None:
    templates = document(ini, "list-templates")["templates"]
    for template in templates:
        assert template.keys() == OBJECTS["in templates"]
    assert templates[0]["name"] == "pyramid"


def test_the_sql_is_that_of_the_text(ini: Path) -> None:
    assert document(ini, "upgrade", "--sql")["sql"] == invoke(ini, "upgrade", "--sql").stdout


@pytest.mark.parametrize("extra", ["-q", "-v", "--color", "--traceback"])
def test_other_options_leave_the_document_as_it_is(ini: Path, extra: str) -> None:
    document(ini, "upgrade")
    for command in ("current", "history", "upgrade"):
        assert document(ini, command, extra) == document(ini, command)


def test_the_option_may_stand_first(ini: Path) -> None:
    assert json.loads(invoke("--json", ini, "heads").stdout) == document(ini, "heads")


def test_the_progress_goes_to_standard_error(ini: Path) -> None:
    assert "[1/4] aaaa1 create a  " in invoke(ini, "upgrade", "--json").stderr


# Errors


def test_every_error_is_documented_with_its_details() -> None:
    classes = errors.MigrateError.__subclasses__()
    assert {each.code: set(each.details_of) for each in classes} == ERRORS


def test_no_error_is_raised_with_other_details() -> None:
    names = {each.__name__: each for each in errors.MigrateError.__subclasses__()}
    checked = 0
    for path in (REPOSITORY / "myapp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                given = {keyword.arg for keyword in node.keywords} - {"hint", "exit_code", None}
                assert given <= set(names[node.func.id].details_of), (path, node.lineno)
                checked += 1
    assert checked > 30


def _nothing(ini: Path) -> None:
    pass


def _upgraded(ini: Path) -> None:
    assert invoke(ini, "upgrade").returncode == 0


def _one_more(**options: Any) -> Callable[[Path], None]:
    def prepare(ini: Path) -> None:
        add_revision(ini.parent / "migrations", Revision("dddd1", "cccc1", **options))

    return prepare


def _two_heads(ini: Path) -> None:
    for name in ("dddd1", "eeee1"):
        add_revision(ini.parent / "migrations", Revision(name, "cccc1"))


def _ahead(ini: Path) -> None:
    path = add_revision(ini.parent / "migrations", Revision("dddd1", "cccc1"))
    _upgraded(ini)
    path.unlink()


def _no_database(ini: Path) -> None:
    (ini.parent / "test.sqlite").write_text("this is not a database")


def _broken_env(ini: Path) -> None:
    (ini.parent / "migrations" / "env.py").write_text("1 / 0\n")


def _idle_env(ini: Path) -> None:
    (ini.parent / "migrations" / "env.py").write_text("pass\n")


HALF = """\
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE x (i int)")
raise OSError
"""
FAILURES: list[tuple[str, int, str, Callable[[Path], None]]] = [
    ("migration_failed", 1, "upgrade", _one_more(upgrade="raise ValueError('no')")),
    ("half_applied", 9, "upgrade", _one_more(upgrade=HALF)),
    ("interrupted", 130, "upgrade", _one_more(upgrade="raise KeyboardInterrupt")),
    ("usage", 2, "", _nothing),
    ("usage", 2, "upgrad", _nothing),
    ("usage", 2, "upgrade --nope", _nothing),
    ("usage", 2, "downgrade", _nothing),
    ("usage", 2, "show a b", _nothing),
    ("usage", 2, "--nope upgrade", _nothing),
    ("usage", 2, "downgrade base --sql", _nothing),
    ("settings", 2, "check", _upgraded),
    ("history", 2, "heads", _one_more(message='"""')),
    ("env_py", 2, "upgrade", _broken_env),
    ("env_py", 2, "current", _idle_env),
    ("env_py", 2, "upgrade --sql", _broken_env),
    ("revision", 2, "upgrade zzzz", _nothing),
    ("revision", 2, "upgrade bbbb", _nothing),
    ("revision", 2, "downgrade -99", _upgraded),
    ("pending", 3, "current --check-heads", _nothing),
    ("unreachable", 6, "upgrade", _no_database),
    ("ahead", 7, "upgrade", _ahead),
    ("multiple_heads", 8, "upgrade head", _two_heads),
]


@pytest.mark.parametrize(("code", "status", "command", "prepare"), FAILURES)
def test_an_error_is_a_document_with_exactly_the_documented_keys(
    ini: Path, code: str, status: int, command: str, prepare: Callable[[Path], None]
) -> None:
    prepare(ini)
    result = invoke(ini, *command.split(), "--json")
    found = json.loads(result.stdout)
    assert found.keys() == {"command", "ok", "error"}
    error = found["error"]
    assert error.keys() == {"code", "exit_code", "message", "hint"} | ERRORS[code]
    assert (error["code"], error["exit_code"], result.returncode) == (code, status, status)
    assert error["message"]
    assert "Error:" not in result.stderr
    assert "Traceback" not in result.stderr


def test_the_fork_of_several_heads_is_told(ini: Path) -> None:
    _two_heads(ini)
    assert document(ini, "upgrade", "head", status=8)["error"]["fork"] == {
        "ancestor": "cccc1",
        "sides": [
            {"head": "dddd1", "revisions": ["dddd1"]},
            {"head": "eeee1", "revisions": ["eeee1"]},
        ],
    }


def test_drift_is_listed(own_ini: Path, tmp_path: Path) -> None:
    document(own_ini, "upgrade", "4b7e21c09d35")
    document(own_ini, "stamp", "head")
    error = document(own_ini, "check", status=4)["error"]
    assert error.keys() == {"code", "exit_code", "message", "hint"} | ERRORS["drift"]
    assert error["differences"] == [
        "add column users.email",
        "add index ix_users_email on users (email)",
    ]


def test_a_failed_migration_is_told_with_its_place(ini: Path) -> None:
    _one_more(upgrade="raise ValueError('no')")(ini)
    error = document(ini, "upgrade", status=1)["error"]
    assert error["revision"] == "dddd1"
    assert error["path"] == str(ini.parent / "migrations" / "versions" / "dddd1_.py")
    assert error["rows"] == ["cccc1"]


def test_a_failing_env_py_is_told_with_its_place(ini: Path) -> None:
    _broken_env(ini)
    error = document(ini, "upgrade", status=2)["error"]
    assert (error["path"], error["line"]) == (str(ini.parent / "migrations" / "env.py"), 1)


def test_an_ambiguous_revision_comes_with_its_candidates(ini: Path) -> None:
    error = document(ini, "show", "bbbb", status=2)["error"]
    assert (sorted(error["candidates"]), error["nearest"]) == (["bbbb1", "bbbb2"], None)
    error = document(ini, "show", "cccc2", status=2)["error"]
    assert (error["candidates"], error["nearest"]) == (None, "cccc1")


@pytest.mark.parametrize(
    ("url", "retryable"),
    [("postgresql://deploy:s3cret@/nowhere?host=/nowhere", True), ("sqlite:///{}/app.ini", False)],
)
def test_an_unreachable_database_is_told_as_one_that_may_come_up_or_not(
    make_app: MakeApp, tmp_path: Path, url: str, retryable: bool
) -> None:
    error = document(make_app(url.format(tmp_path)), "current", status=6)["error"]
    assert (error["code"], error["retryable"]) == ("unreachable", retryable)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("show nope", "unknown"),
        ("show left@bbbb2", "unknown"),
        ("show bbbb", "ambiguous"),
        ("upgrade aaaa1+1", "ambiguous"),
        ("upgrade ''", "empty"),
        ("show base", "empty"),
        ("downgrade -99", "out_of_reach"),
        ("history -r bbbb1:bbbb2", "out_of_reach"),
        ("downgrade aaaa1", "not_applied"),
        ("downgrade left@-1", "not_applied"),
    ],
)
def test_a_revision_that_cannot_be_used_comes_with_the_reason(
    ini: Path, command: str, reason: str
) -> None:
    error = document(ini, *shlex.split(command), status=2)["error"]
    assert (error["code"], error["reason"]) == ("revision", reason), error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json"], "Missing argument 'CONFIG_URI'."),
        (["upgrade", "--json"], "`upgrade` stands where the .ini file should."),
        (["nope.ini", "--json", "upgrade"], "`--json` stands between the .ini file and the"),
        (["nope.ini", "upgrade", "--json", "--nope"], "No such option '--nope'."),
    ],
)
def test_an_error_before_there_is_a_command_is_a_document_too(
    arguments: list[str], message: str
) -> None:
    result = invoke(*arguments)
    found = json.loads(result.stdout)
    assert found["error"]["message"].startswith(message)
    assert (found["error"]["code"], result.returncode, result.stderr) == ("usage", 2, "")


def test_a_missing_ini_is_a_document_too(tmp_path: Path) -> None:
    error = document(tmp_path / "nope.ini", "upgrade", status=2)["error"]
    assert error["code"] == "settings"
    assert error["message"] == f"No such file: {tmp_path / 'nope.ini'}."


def test_a_bug_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(Invocation(json=True, command="upgrade", traceback=True))
    assert console.fail(RuntimeError("surprise")) == 70
    written = capsys.readouterr()
    assert json.loads(written.out)["error"].keys() == {"code", "exit_code", "message", "hint"}
    assert written.err == "RuntimeError: surprise\n"


def test_a_terminated_run_is_a_document_too(ini: Path) -> None:
    _one_more(upgrade="import os, signal; os.kill(os.getpid(), signal.SIGTERM)")(ini)
    result = run(ini, "upgrade", "--json")
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["exit_code"], result.returncode) == ("interrupted", 143, 143)
    assert error["rows"] == ["cccc1"]


# Nothing else on standard output

NOISE = """\
import logging, os, subprocess, sys, warnings
print("noise 1")
sys.__stdout__.write("noise 2\\n")
os.write(1, b"noise 3\\n")
subprocess.run(["echo", "noise 4"], check=True)
sys.stdout.buffer.write(b"noise 5\\n")
sys.stdout.writelines(["noise 6\\n"])
logging.getLogger("noise").warning("noise 7")
warnings.warn("noise 8")
assert not sys.stdout.isatty() and sys.stdout.fileno() == 2 and sys.stdout.encoding == "utf-8"
"""


@pytest.fixture
def noisy_ini(make_app: MakeApp, sqlite_url: str) -> Path:
    """An application whose env.py, migrations and loggers write to standard output."""
    noisy = Revision("aaaa1", upgrade=NOISE, downgrade=NOISE)
    ini = make_app(sqlite_url, [noisy], extra=logging_to("sys.stdout"))
    env = ini.parent / "migrations" / "env.py"
    env.write_text(f"print('noise in env.py')\n{env.read_text()}")
    return ini


@pytest.mark.parametrize("command", ["upgrade", "upgrade --sql", "downgrade aaaa1:base --sql"])
def test_what_migrations_print_stays_off_standard_output(noisy_ini: Path, command: str) -> None:
    result = run(noisy_ini, *command.split(), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["ok"] is True
    for number in range(1, 9):
        assert f"noise {number}" in result.stderr
    assert "noise in env.py" in result.stderr


def test_text_on_standard_output_is_the_answer_alone_too(noisy_ini: Path) -> None:
    assert re.fullmatch(
        r"Upgraded 1 revision in \d+ ms: \S+ is at aaaa1 \(a change\)\.\n",
        run(noisy_ini, "upgrade").stdout,
    )


def test_a_document_is_ascii(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1", message="füge 日本 hinzu")])
    result = run(ini, "history", "--json", env={"PYTHONIOENCODING": "ascii"})
    assert result.stdout.isascii()
    assert json.loads(result.stdout)["revisions"][0]["message"] == "füge 日本 hinzu"


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(("command", "status"), [("history", 0), ("show nope", 2)])
def test_a_reader_that_left_is_no_error_of_its_own(
    ini: Path, closed_pipe: int, command: str, status: int
) -> None:
    arguments = [SCRIPTS / "myapp-migrate", ini, *command.split(), "--json"]
    done = subprocess.run(
        arguments, stdout=closed_pipe, stderr=subprocess.PIPE, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (status, "")
