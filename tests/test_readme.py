"""The README: its commands are run, and it names all that there is."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from sqlalchemy import inspect
from support.command import SCRIPTS, invoke
from support.database import connection_to, name_of
from support.ini import MakeIni

from myapp.migrator.base.errors import MigrateError
from myapp.migrator.base.verdicts import REFUSED
from myapp.migrator.settings.alembic_options import OPTIONS
from myapp.migrator.settings.options import _DEFAULTS as MIGRATE_DEFAULTS
from myapp.scripts.migrate import cli

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()
MARK = "<end of output>"
# The rest makes the environment that the tests run in; .ci/run runs the whole of it.
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -e . && "
DATABASE_URL = "postgresql://myapp:secret@db.example.com/myapp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, as the README's reader has it."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(
        PROJECT / "myapp", folder / "myapp", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("development.ini", "production.ini"):
        shutil.copy(PROJECT / name, folder)
    (folder / ".venv").symlink_to(SCRIPTS.parent)
    return folder


def environ(project: Path) -> dict[str, str]:
    """The copy comes before the installed package; nothing of the caller's own gets in."""
    return {
        "HOME": str(project),
        "LANG": "C.UTF-8",
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        "PYTHONPATH": str(project),
        "PYTHONPYCACHEPREFIX": str(project.parent / "bytecode"),
    }


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


def normalised(text: str, project: Path) -> str:
    """Replace what differs from run to run: durations, the folder, and the new revision's id."""
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

    told = transcript(project, postgresql_url).replace(
        name_of(postgresql_url), name_of(DATABASE_URL)
    )
    assert normalised(told, project) == shown


def test_the_set_up_is_the_two_lines_that_people_copy() -> None:
    assert commands()[0] == f"{SET_UP}.venv/bin/myapp-migrate development.ini upgrade"
    assert (
        "\n    python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n"
    ) in README


def test_the_python_code_runs(project: Path) -> None:
    _, snippet = blocks("python")
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
    revision, _ = blocks("python")
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

    assert listed == statuses(MigrateError) | {0, REFUSED, 129, 130, 143}
