"""New revision files: whole, in their place, and over no other."""

import os
import threading
from pathlib import Path

import pytest
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import SettingsError, UsageError
from myapp.migrator.base.results import NewRevisions
from myapp.migrator.bridge.context import RunContext
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.bridge.new_files import publish
from myapp.migrator.commands.authoring import merge, revision
from myapp.migrator.config import run_context

LINE = [Revision("aaa111", message="add a"), Revision("bbb222", "aaa111", message="add b")]
BRANCHES = [
    Revision("aaa111", message="root"),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left"),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right"),
]


def files(tmp_path: Path) -> set[str]:
    """Return the names of the revision files."""
    return {path.name for path in (tmp_path / "migrations" / "versions").glob("*.py")}


def write(
    command: str, context: RunContext, message: str | None = None, **options: str
) -> NewRevisions:
    """Write a revision, or a merge of all heads."""
    if command == "merge":
        return merge(context, ["heads"], message, **options)  # type: ignore[arg-type]
    return revision(context, message, head="left", **options)  # type: ignore[arg-type]


def test_a_file_that_is_there_is_not_written_over(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, LINE, {"alembic.file_template": "%(slug)s"}))
    (first,) = revision(config, "Fix").revisions
    text = Path(first.path).read_text()

    with pytest.raises(UsageError) as raised:
        revision(config, "Fix")

    assert raised.value.message == (
        f"No revision was written: there is a file {first.path} already, and"
        " `alembic.file_template` gives the new one the same name."
    )
    assert raised.value.hint == (
        "choose another message, or add `%%(rev)s` to `alembic.file_template`."
    )
    assert Path(first.path).read_text() == text
    assert files(tmp_path) == {"aaa111_.py", "bbb222_.py", "fix.py"}


def test_a_file_of_the_same_id_is_not_written_over_either(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    versions = tmp_path / "migrations" / "versions"
    (versions / "aaa111_.py").rename(versions / "ccc333_fix.py")

    with pytest.raises(UsageError) as raised:
        revision(config, "Fix", rev_id="ccc333")

    assert raised.value.hint == "choose another message, or move that file away."


def test_a_merge_writes_over_no_file_either(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES, {"alembic.file_template": "%(slug)s"}))
    (first,) = revision(config, "Join", head="left").revisions
    text = Path(first.path).read_text()

    with pytest.raises(UsageError, match=r"there is a file .*/join\.py already"):
        merge(config, ["heads"], "Join")

    assert Path(first.path).read_text() == text


@pytest.mark.parametrize("command", ["revision", "merge"])
def test_a_file_that_no_command_would_find_is_not_written(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, command: str
) -> None:
    settings = {"alembic.file_template": "%(year)d/x/%(rev)s"}
    config = run_context(make_app(sqlite_url, BRANCHES, settings))
    versions = tmp_path / "migrations" / "versions"
    before = set(versions.iterdir())

    with pytest.raises(SettingsError) as raised:
        write(command, config, "New")

    assert raised.value.message.startswith(
        f"No revision was written: `alembic.file_template` puts it into {versions}/"
    )
    assert raised.value.message.endswith("/x, where no command looks for revisions.")
    assert raised.value.hint == "set `alembic.recursive_version_locations = true`."
    assert set(versions.iterdir()) == before


@pytest.mark.parametrize("command", ["revision", "merge"])
def test_a_file_in_a_subfolder_is_told(make_app: MakeApp, sqlite_url: str, command: str) -> None:
    settings = {
        "alembic.file_template": "%(year)d/%(rev)s",
        "alembic.recursive_version_locations": "true",
    }
    config = run_context(make_app(sqlite_url, BRANCHES, settings))

    (new,) = write(command, config, "New").revisions

    assert Path(new.path).parent.name.isdecimal()
    assert load_history(config).get(new.revision).message == "New"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rev_id": ""}, "The revision's id is empty."),
        ({"rev_id": "current"}, "`current` has a meaning of its own"),
        ({"branch_label": "a@b"}, "A branch label can't have '@' in it"),
        ({"message": ""}, "The message is empty."),
        ({"rev_id": "ddd444", "branch_label": "ddd444"}, "`ddd444` is the id of a revision"),
    ],
)
@pytest.mark.parametrize("command", ["revision", "merge"])
def test_a_name_that_cannot_be_used_is_refused_before_env_py_runs(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    command: str,
    options: dict[str, str],
    message: str,
) -> None:
    app = make_app(sqlite_url, BRANCHES, {"alembic.revision_environment": "true"})
    (tmp_path / "migrations" / "env.py").write_text("raise RuntimeError\n")
    before = files(tmp_path)

    with pytest.raises(UsageError, match=message):
        write(command, run_context(app), **options)

    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version_path": ""}, "The folder of `--version-path` is empty."),
        (
            {"head": "left", "depends_on": ["base"]},
            "A revision can't depend on `base`, which is no revision.",
        ),
    ],
)
def test_a_folder_or_a_dependency_that_is_none_is_refused(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    options: dict[str, object],
    message: str,
) -> None:
    app = make_app(sqlite_url, BRANCHES)
    before = files(tmp_path)

    with pytest.raises(UsageError) as raised:
        revision(run_context(app), "New", **options)  # type: ignore[arg-type]

    assert raised.value.message == message
    assert files(tmp_path) == before


def test_of_two_at_once_with_one_name_one_is_written(tmp_path: Path) -> None:
    path = tmp_path / "fix.py"
    barrier = threading.Barrier(2)
    lost: list[bytes] = []

    def write(content: bytes) -> None:
        barrier.wait()
        try:
            publish(path, content)
        except FileExistsError:
            lost.append(content)

    contents = [b"# one\n" * 99, b"# two\n" * 99]
    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted([path.read_bytes(), *lost]) == contents
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    publish(tmp_path / "fix.py", b"# one\n")

    with pytest.raises(FileExistsError):
        publish(tmp_path / "fix.py", b"# two\n")
    assert (tmp_path / "fix.py").read_bytes() == b"# one\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "fix.py"]


def test_a_new_file_has_the_mode_of_any_other(make_app: MakeApp, sqlite_url: str) -> None:
    (new,) = revision(run_context(make_app(sqlite_url)), "First").revisions

    other = Path(new.path).with_name("other")
    other.touch()
    assert Path(new.path).stat().st_mode == other.stat().st_mode
