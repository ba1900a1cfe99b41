"""Questions about a revision that is to be written, and what the answer shows."""

import json
from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision
from support.terminal import run_on_terminal, screen

FIRST = """
op.create_table("users", sa.Column("handle", sa.String(20)))
op.execute("INSERT INTO users (handle) VALUES ('a'), ('b')")
"""
MODELS = """\
from sqlalchemy import *

metadata = MetaData()
Table("users", metadata, Column("nickname", String(20)))
"""


@pytest.fixture
def app(tmp_path: Path, sqlite_url: str, make_app: MakeApp, request: pytest.FixtureRequest) -> Path:
    """The .ini file of an application whose models have another name for a column."""
    module = f"models_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{module}.py").write_text(MODELS)
    settings = {
        "alembic.target_metadata": f"{module}:metadata",
        "alembic.prepend_sys_path": str(tmp_path),
        "alembic.render_as_batch": "true",
    }
    ini = make_app(sqlite_url, [Revision("aaa111", upgrade=FIRST)], settings)
    assert invoke(ini, "upgrade").returncode == 0
    return ini


def test_a_person_is_asked_for_renames_and_for_the_message(app: Path) -> None:
    written = run_on_terminal(
        app, "revision", "--autogenerate", "--rev-id", "bbb222", columns=200, typed="y\nCall it\n"
    )

    lines = screen(written, 200)
    asked = "Was users.handle renamed to users.nickname? [y/N] "
    assert any(asked in line for line in lines)
    assert any("Message [rename users.handle to nickname]: " in line for line in lines)
    assert any("Found: rename column users.handle to nickname" in line for line in lines)
    assert (app.parent / "migrations" / "versions" / "bbb222_call_it.py").exists()


def test_an_empty_answer_is_no_and_takes_what_is_suggested(app: Path) -> None:
    written = run_on_terminal(
        app, "revision", "--autogenerate", "--rev-id", "bbb222", columns=200, typed="\n\n"
    )

    assert "\x1b[31mFound: remove column users.handle: its 2 values go\x1b[0m" in written
    versions = app.parent / "migrations" / "versions"
    assert (versions / "bbb222_add_users_nickname_remove_users_handle.py").exists()


def test_ctrl_d_writes_nothing(app: Path) -> None:
    written = run_on_terminal(app, "revision", "--rev-id", "bbb222", columns=200, typed="\x04")

    assert "Message: " in written
    assert "Interrupted" in written
    assert not list((app.parent / "migrations" / "versions").glob("bbb222*"))


def test_without_a_terminal_nothing_is_asked(app: Path) -> None:
    done = invoke(app, "revision", "--autogenerate", "--rev-id", "bbb222")

    path = app.parent / "migrations/versions/bbb222_add_users_nickname_remove_users_handle.py"
    assert done.stdout.splitlines() == [
        "Found: add column users.nickname",
        "Found: remove column users.handle: its 2 values go",
        f"Wrote {path}",
        "If that was a rename, remove the file and add `--rename users.handle:nickname`.",
    ]


def test_a_rename_may_be_typed(app: Path) -> None:
    done = invoke(app, "revision", "--autogenerate", "--json", "--rename", "users.handle:nickname")

    document = json.loads(done.stdout)
    assert document["operations"] == ["rename column users.handle to nickname"]
    assert (document["losses"], document["possible_renames"]) == ([], [])


def test_json_has_what_would_be_lost(app: Path) -> None:
    document = json.loads(invoke(app, "revision", "--autogenerate", "--json").stdout)

    assert document["losses"] == ["remove column users.handle: its 2 values go"]
    assert document["possible_renames"] == ["users.handle:nickname"]


def test_a_merge_of_nothing_has_a_hint(app: Path) -> None:
    done = invoke(app, "merge", "-m", "join")

    assert done.returncode == 2
    assert done.stderr == (
        "Error: `merge` needs the revisions that it joins.\n"
        f'Hint:  `myapp-migrate {app} merge heads -m "join"` joins all heads.\n'
    )
