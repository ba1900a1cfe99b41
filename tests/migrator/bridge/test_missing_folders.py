"""A folder of revisions that doesn't exist is an error, and no empty history."""

import shutil
from pathlib import Path

import pytest
from support.command import invoke
from support.database import tables
from support.history import ENV, MakeApp, Revision, create_table
from support.processes import write_env

from myapp.migrator.base.errors import HistoryError
from myapp.migrator.commands.status import Code
from myapp.migrator.config import run_context

LINE = [Revision("aaa111", **create_table("a"))]
ASKING = ["upgrade", "wait --timeout 0", "current --check-heads", "heads", "stamp base", "check"]


def told(ini: Path, command: str) -> str:
    result = invoke(ini, *command.split())
    assert (result.returncode, result.stdout) == (2, ""), command
    return result.stderr


@pytest.mark.parametrize("command", ASKING)
def test_a_location_that_does_not_exist_is_named(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, command: str
) -> None:
    ini = make_app(sqlite_url, LINE, {"alembic.version_locations": "migrations/verzions"})

    assert told(ini, command) == (
        f"Error: The folder of revisions {tmp_path}/migrations/verzions does not exist, so it is"
        " not known which revisions there are.\n"
        "Hint:  fix `alembic.version_locations`, or make the folder.\n"
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("env", ["", "print\n"])
def test_a_path_with_a_blank_is_told_to_be_two(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, env: str
) -> None:
    spaced = tmp_path / "my app"
    ini = make_app(sqlite_url, LINE, {"alembic.version_locations": str(spaced)})
    write_env(ini, ENV + env)
    spaced.mkdir()

    stderr = told(ini, "upgrade")

    assert f"The folder of revisions {tmp_path}/my does not exist" in stderr
    assert stderr.endswith(
        "Hint:  fix `alembic.version_locations` (folders are separated by blanks, unless you set"
        " `alembic.path_separator`), or make the folder.\n"
    )


@pytest.mark.parametrize("command", ASKING)
def test_a_deploy_without_its_revisions_is_stopped(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, command: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    shutil.rmtree(tmp_path / "migrations" / "versions")

    stderr = told(ini, command)

    assert f"The folder of revisions {tmp_path}/migrations/versions does not exist" in stderr
    assert stderr.endswith(
        "Hint:  deploy it with the code; if there is no revision yet, the first one makes it:"
        f' `myapp-migrate {ini} revision -m "..."`.\n'
    )


def test_an_application_does_not_start_without_its_revisions(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    settings = run_context(make_app(sqlite_url, LINE)).settings
    shutil.rmtree(tmp_path / "migrations" / "versions")

    with pytest.raises(HistoryError, match="versions does not exist"):
        Code(settings)


def test_an_empty_folder_is_a_history_without_revisions(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url)

    for command in ("upgrade", "wait --timeout 0", "current --check-heads"):
        assert invoke(ini, *command.split()).returncode == 0, command


@pytest.mark.parametrize("place", [None, "other"])
def test_the_first_revision_makes_its_folder(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, place: str | None
) -> None:
    folder = tmp_path / (place or "migrations/versions")
    named = {"alembic.version_locations": place} if place else {}
    ini = make_app(sqlite_url, settings=named)
    shutil.rmtree(tmp_path / "migrations" / "versions")
    path = ["--version-path", folder] if place else []

    result = invoke(ini, "revision", "-m", "one", *path)

    assert result.returncode == 0, result.stderr
    assert [file.parent for file in folder.glob("*.py")] == [folder]
    assert invoke(ini, "upgrade").returncode == 0


def test_a_revision_is_not_written_beside_those_that_are_missing(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE, {"alembic.version_locations": "verzions"})

    assert "verzions does not exist" in told(ini, "revision -m one")


def test_the_folders_that_env_py_names_are_those_that_have_to_exist(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, LINE)
    (tmp_path / "migrations" / "versions").rename(tmp_path / "elsewhere")
    naming = "from alembic import context\ncontext.script.version_locations = [{!r}]\n"

    write_env(ini, naming.format(str(tmp_path / "elsewhere")) + ENV)
    assert invoke(ini, "heads").stdout == "aaa111 (head), a change\n"
    assert invoke(ini, "upgrade").returncode == 0
    assert tables(sqlite_url) == {"a", "alembic_version"}

    write_env(ini, naming.format(str(tmp_path / "gone")) + ENV)
    for command in ASKING:
        assert "gone does not exist" in told(ini, command)
