"""What can't be looked at is unknown, and unknown is never base."""

from pathlib import Path

import pytest
from support.command import Result, run
from support.history import MakeApp, Revision

READING = [["current"], ["wait", "--timeout", "0"], ["current", "--check-heads"], ["upgrade"]]


def message(result: Result) -> str:
    return result.stderr.splitlines()[0]


@pytest.fixture(params=["quick", "ordinary"])
def make(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path) -> MakeApp:
    """Make an application that is answered for without Alembic, and with it."""

    def make(url: str, *args: object, **kwargs: object) -> Path:
        ini = make_app(url, [Revision("a1")])
        if request.param == "ordinary":
            env_py = tmp_path / "migrations" / "env.py"
            env_py.write_text("# Mine.\n" + env_py.read_text())
        return ini

    return make


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("folder", ["closed", "closed/inner"])
def test_a_folder_that_this_user_may_not_enter_is_told(
    command: list[str], folder: str, make: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    path = tmp_path / folder / "x.sqlite"
    ini = make(f"sqlite:///{path}")
    (tmp_path / "closed").chmod(0o600)
    try:
        result = run(ini, *command, obeys_modes=True)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert (result.returncode, message(result)) == (
        6,
        f"Error: The SQLite file {path} can't be opened: Permission denied.",
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("app.ini/x.sqlite", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("nowhere/x.sqlite", "its folder does not exist"),
        ("dangling", "its folder does not exist"),
        ("circle", "Too many levels of symbolic links"),
        ("migrations", "it is a folder"),
    ],
)
def test_a_path_at_which_no_file_can_be_is_told(
    name: str, why: str, make: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "dangling").symlink_to("nowhere/x.sqlite")
    (tmp_path / "circle").symlink_to("circle")
    path = tmp_path / name
    result = run(make(f"sqlite:///{path}"), "current")
    assert (result.returncode, message(result)) == (
        6,
        f"Error: The SQLite file {path} can't be opened: {why}.",
    )


def test_a_link_to_a_file_that_is_yet_to_be_made_is_base(make: MakeApp, tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "data" / "x.sqlite"
    target.parent.mkdir()
    link.symlink_to(target)
    ini = make(f"sqlite:///{link}")
    assert run(ini, "current").stdout == "base (no revision)\n"
    assert not target.exists()
    assert run(ini, "upgrade").returncode == 0
    assert target.exists()


def test_a_file_that_this_user_may_not_read_is_told(make: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    ini = make(f"sqlite:///{path}")
    path.touch(0)
    result = run(ini, "current", obeys_modes=True)
    assert result.returncode == 6, result.stderr


@pytest.mark.parametrize(
    ("folder", "of", "mode"),
    [
        ("migrations", "migrations", 0o000),
        ("migrations/versions", "revisions", 0o000),
        ("migrations/versions", "revisions", 0o300),
    ],
)
def test_a_folder_that_this_user_may_not_read_is_told(
    folder: str, of: str, mode: int, make: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    """Alembic takes it for an empty one, and `upgrade` would have nothing to do."""
    ini = make(sqlite_url)
    versions = tmp_path / folder
    versions.chmod(mode)
    try:
        results = [run(ini, *command, obeys_modes=True) for command in (["upgrade"], ["heads"])]
    finally:
        versions.chmod(0o700)
    for result in results:
        assert (result.returncode, message(result)) == (
            2,
            f"Error: The folder of {of} {versions} can't be read: Permission denied.",
        )
