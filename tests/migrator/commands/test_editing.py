"""The command that opens revision files."""

import stat
from pathlib import Path

import pytest
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import BadRevision, UsageError
from myapp.migrator.commands.editing import edit
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

LINE = [Revision("aaa111", message="add a"), Revision("bbb222", "aaa111", message="add b")]
BRANCHES = [
    Revision("aaa111", message="root"),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left"),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right"),
]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that leaves its arguments in `edited`."""
    program = tmp_path / "my editor"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path / "edited"}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", f"'{program}' --wait")
    return tmp_path / "edited"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("bbb222", ["bbb222"]),
        ("heads", ["bbb222", "ccc333"]),
        ("left", ["bbb222"]),
        ("current", ["aaa111"]),
    ],
)
def test_edit_opens_the_files_of_a_revision(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    editor: Path,
    target: str,
    expected: list[str],
) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))
    upgrade(config, "aaa111")

    found = edit(config, target)

    versions = tmp_path / "migrations" / "versions"
    assert sorted(each.revision for each in found) == expected
    assert sorted(editor.read_text().splitlines()) == [
        f"--wait {versions / f'{each}_.py'}" for each in expected
    ]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("false", "`false` ended with exit status 1"),
        ("/no/such/editor", "`/no/such/editor` can't be run: No such file or directory"),
    ],
)
def test_an_editor_that_fails_is_told(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    why: str,
) -> None:
    monkeypatch.setenv("EDITOR", command)

    with pytest.raises(UsageError) as raised:
        edit(run_context(make_app(sqlite_url, LINE)), "aaa111")

    path = tmp_path / "migrations" / "versions" / "aaa111_.py"
    assert raised.value.message == f"{path} can't be edited: {why}."
    assert raised.value.hint == "set EDITOR to the editor's name."


def test_edit_without_any_editor_is_told(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("PATH", "/no/such/folder")

    with pytest.raises(UsageError, match=r"can't be edited: .*No suitable editor found"):
        edit(run_context(make_app(sqlite_url, LINE)), "aaa111")


def test_edit_at_base_has_nothing_to_open(make_app: MakeApp, sqlite_url: str, editor: Path) -> None:
    with pytest.raises(BadRevision):
        edit(run_context(make_app(sqlite_url, LINE)), "current")

    assert not editor.exists()
