"""The README: its commands are run, and it names all that there is."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import inspect, make_url
from support.command import invoke
from support.database import change, connection_to, name_of
from support.ini import MakeIni
from support.project import PROJECT, copy_project, environ

from myapp.migrator.base.errors import MigrateError
from myapp.migrator.base.verdicts import REFUSED
from myapp.migrator.settings.alembic_options import OPTIONS
from myapp.migrator.settings.options import _DEFAULTS as MIGRATE_DEFAULTS
from myapp.scripts.migrate import cli

README = (PROJECT / "README.md").read_text()
MARK = "<end of output>"
# The rest makes the environment that the tests run in; .ci/run runs the whole of it.
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -e '.[page]' && "
DATABASE_URL = "postgresql://myapp:secret@db.example.com/myapp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


def block(language: str, part: str) -> str:
    """Return the one block that has `part` in it."""
    [found] = [each for each in blocks(language) if part in each]
    return found


def commands() -> list[str]:
    return re.findall(r"^\$ (.*)$", "".join(blocks("console")), re.MULTILINE)


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table that `heading` begins, by their first cell."""
    _, _, rest = README.partition(f"| {heading} |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {first: others for first, *others in cells}


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def transcript(project: Path, database_url: str) -> str:
    """Run all commands in one shell, and return what its terminal would show."""
    script = ["s=0"]
    for command in commands():
        typed = command.removeprefix(SET_UP).replace(DATABASE_URL, shlex.quote(database_url))
        script += [f"(exit $s)\n{typed}", f"s=$?; echo '{MARK}'"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        check=True,
        cwd=project,
        encoding="utf-8",
        env=environ(project),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
    )
    outputs = done.stdout.split(f"{MARK}\n")[:-1]
    return "".join(
        f"$ {command}\n{output}" for command, output in zip(commands(), outputs, strict=True)
    )


def as_shown(url: str) -> str:
    """Return how `status` shows `url`."""
    parts = make_url(url).set(drivername="postgresql+psycopg2", query={})
    return parts.render_as_string(hide_password=True)


def normalised(text: str, project: Path) -> str:
    """Replace what differs: durations, the folder, the server and the new revision's id."""
    text = re.sub(r"PostgreSQL \d+(\.\d+)?", "PostgreSQL <version>", text)
    text = text.replace(str(project), "/home/me/myapp")
    text = re.sub(r"\b(\d+ ms|\d+\.\d s)\b", "<time>", text)
    known = {path.name[:12] for path in (PROJECT / "myapp/migrations/versions").glob("*.py")}
    return re.sub(
        r"(?<!\w)[0-9a-f]{12}(?![0-9a-f])",
        lambda match: match[0] if match[0] in known else "<new id>",
        text,
    )


def test_every_command_prints_what_the_readme_shows(project: Path, postgresql_url: str) -> None:
    shown = normalised("".join(blocks("console")), project)
    # As in a clone: git tells `verify` which revisions are new.
    as_me = "git -c user.name=me -c user.email=me@example.com"
    begin = f"git init -qb main && git add -A && {as_me} commit -qm version"
    subprocess.run(["bash", "-c", begin], check=True, cwd=project, env=environ(project))

    told = transcript(project, postgresql_url)
    for name in (as_shown, name_of):
        told = told.replace(name(postgresql_url), name(DATABASE_URL))
    assert normalised(told, project) == shown


def test_the_set_up_is_the_two_lines_that_people_copy() -> None:
    assert commands()[0] == f"{SET_UP}.venv/bin/myapp-migrate development.ini upgrade"
    assert (
        "\n    python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n"
    ) in README


def test_the_python_code_runs(project: Path) -> None:
    snippet = block("python", "import alembic_config")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        capture_output=True,
        check=False,
        cwd=project,
        encoding="utf-8",
        env=environ(project),
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_revision_with_an_index_goes_up_and_down(
    project: Path, make_ini: MakeIni, database_url: str
) -> None:
    revision = block("python", "create_index_concurrently")
    header = "revision, down_revision = 'aaa111', 'c85d3f6a1e90'\n"
    path = project / "myapp/migrations/versions/aaa111_.py"
    path.write_text(header + revision)
    ini = make_ini(
        {"sqlalchemy.url": database_url, "alembic.script_location": str(path.parents[1])}
    )
    for command, expected in (("upgrade", 2), ("downgrade -1", 1)):
        result = invoke(ini, *command.split())
        assert result.returncode == 0, result.stderr
        with connection_to(database_url) as connection:
            assert len(inspect(connection).get_indexes("users")) == expected


def test_a_fleet_is_compared_with_one_expected_schema(
    project: Path, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = [sqlite_url, f"sqlite:///{tmp_path / 'other.sqlite'}"]
    code = block("python", "expected_schema")
    monkeypatch.chdir(project)
    for url in fleet:
        monkeypatch.setenv("DATABASE_URL", url)
        assert invoke("production.ini", "upgrade", "-q").returncode == 0
    change(fleet[1], "CREATE INDEX by_hand ON users (name)")
    found: dict[str, Any] = {"fleet": fleet}

    exec(code, found)  # noqa: S102 - of the README

    assert [each.statements for each in found["differences"]] == [("DROP INDEX by_hand",)]


def test_a_trace_finds_what_the_readme_shows(
    project: Path, make_ini: MakeIni, postgresql_url: str
) -> None:
    folder = project / "myapp/migrations"
    ini = make_ini({"sqlalchemy.url": postgresql_url, "alembic.script_location": str(folder)})
    assert invoke(ini, "upgrade").returncode == 0
    rows = "INSERT INTO users (name) SELECT 'u' || i FROM generate_series(1, 20000) i"
    change(postgresql_url, rows, "ANALYZE users")
    (folder / "versions/aaa111_.py").write_text(
        '"""Index users by name."""\n\nfrom alembic import op\n\n'
        "revision, down_revision = 'aaa111', 'c85d3f6a1e90'\n\n\n"
        "def upgrade():\n    op.create_index('ix_users_name', 'users', ['name'])\n"
    )
    result = invoke(ini, "plan", "--trace")
    told, shown = (
        re.sub(r"\(line \d+\)", "(line)", normalised(text, project))
        for text in (result.stdout, block("text", "dangerous"))
    )
    told = "".join(
        line for line in told.splitlines(keepends=True) if "concurrent-index" not in line
    )
    assert shown in told


APPLICATION_TESTS = """\
import pytest
from myapp.models import User


@pytest.mark.parametrize("number", range(2))
def test_the_page_lists_who_was_written(number, dbsession, testapp):
    assert "There are no users yet." in testapp.get("/", status=200)
    dbsession.add(User(name="Ann"))
    dbsession.commit()
    assert "Ann" in testapp.get("/", status=200)
"""

# What the cookiecutter's conftest.py has, as far as its fixture `app` is concerned.
COOKIECUTTERS_CONFTEST = """\
import pytest


def main(global_config, *, dbengine):
    return dbengine


@pytest.fixture(scope="session")
def app_settings():
    return {}


"""
COOKIECUTTERS_TESTS = """\
from sqlalchemy import inspect


def test_the_engine_leads_to_a_migrated_database(app):
    assert "users" in inspect(app).get_table_names()
"""


def test_the_conftest_runs_tests_of_the_application(project: Path, database_url: str) -> None:
    ini = project / "development.ini"
    url = database_url.replace("%", "%%")
    ini.write_text(ini.read_text().replace("sqlite:///%(here)s/myapp.sqlite", url))
    folder = project / "tests"
    folder.mkdir()
    (folder / "conftest.py").write_text(block("python", "webtest.TestApp"))
    (folder / "test_app.py").write_text(APPLICATION_TESTS)
    cookiecutters = folder / "cookiecutters"
    cookiecutters.mkdir()
    app = block("python", "dbengine=migrated_engine")
    (cookiecutters / "conftest.py").write_text(COOKIECUTTERS_CONFTEST + app)
    (cookiecutters / "test_engine.py").write_text(COOKIECUTTERS_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."],
        capture_output=True,
        check=False,
        cwd=project,
        encoding="utf-8",
        env=environ(project) | {"TMPDIR": str(folder)},
        timeout=60,
    )

    assert "3 passed" in done.stdout, done.stdout
    with connection_to(database_url) as connection:
        assert inspect(connection).get_table_names() == []


def test_the_links_lead_to_files_and_headings() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or link in anchors or (PROJECT / link).exists(), link


def options(command: click.Command) -> set[str]:
    return {
        name
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }


SHARED = options(cli) - {"--version"}


def test_the_commands_table_has_every_command() -> None:
    assert {code(cell)[0].split()[0] for cell in table("command")} == cli.commands.keys()


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_commands_table_has_every_option_and_argument(name: str) -> None:
    command = cli.commands[name]
    [(usage, [listed, _])] = [
        (code(cell)[0], cells)
        for cell, cells in table("command").items()
        if code(cell)[0].split()[0] == name
    ]
    arguments = [
        param.make_metavar(click.Context(command))
        for param in command.params
        if isinstance(param, click.Argument)
    ]

    assert usage.split()[1:] == arguments
    assert set(code(listed)) == options(command) - SHARED


def test_the_shared_options_stand_in_a_table_of_their_own() -> None:
    listed = {name.split()[0] for cell in table("option") for name in code(cell)}

    assert listed == options(cli)


def test_every_setting_is_in_the_settings_table() -> None:
    keys = {name for cell in table("key") for name in code(cell)}
    own = {f"migrate.{key}" for key in MIGRATE_DEFAULTS}

    assert {key for key in keys if key.startswith("migrate.")} == own
    assert {key for key in keys if key.startswith("alembic.")} == {f"alembic.{k}" for k in OPTIONS}


def test_every_exit_status_is_in_its_table() -> None:
    def statuses(error: type[MigrateError]) -> set[int]:
        own = {error.exit_code} if "exit_code" in vars(error) else set()
        return own.union(*map(statuses, error.__subclasses__()))

    listed = {int(status) for cell in table("status") for status in cell.split(",")}

    signals, unrunnable = {129, 130, 143}, {126, 127}
    assert listed == statuses(MigrateError) | {0, REFUSED} | signals | unrunnable
