"""The answers as text."""

import re
from pathlib import Path

import pytest
from support.command import invoke, run
from support.database import name_of
from support.history import MakeApp, Revision, add_revision, create_table
from support.ini import MakeIni

REVISIONS = [
    Revision("aaaa1", None, "create a", **create_table("a")),
    Revision("bbbb1", "aaaa1", "create b\n\n\nIn two paragraphs.", branch_labels="left"),
    Revision("bbbb2", "aaaa1", ""),
    Revision("cccc1", ("bbbb1", "bbbb2"), "join"),
    Revision("dddd1", None, "apart", depends_on="bbbb2"),
]


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    return make_app(sqlite_url, REVISIONS)


def text(*args: str | Path) -> str:
    """Run a command that goes well and says nothing beside its answer."""
    result = invoke(*args)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_heads_are_told_with_their_messages(ini: Path) -> None:
    assert text(ini, "heads") == ("cccc1 (left) (head) (mergepoint), join\ndddd1 (head), apart\n")


def test_history_is_told_newest_first_with_states(ini: Path) -> None:
    invoke(ini, "upgrade", "bbbb2")
    assert set(text(ini, "history").splitlines()) == {
        "pending bbbb1, bbbb2 -> cccc1 (left) (head) (mergepoint), join",
        "pending aaaa1 -> bbbb1 (left), create b",
        "current aaaa1 -> bbbb2",
        "applied <base> -> aaaa1 (branchpoint), create a",
        "pending <base> (bbbb2) -> dddd1 (head), apart",
    }


def test_history_in_full_tells_each_state(ini: Path) -> None:
    invoke(ini, "upgrade", "aaaa1")
    shown = text(ini, "history", "-v", "-r", ":bbbb1")
    folder = ini.parent / "migrations" / "versions"
    assert shown == (
        f"State: pending\nRev: bbbb1\nParent: aaaa1\nBranch names: left\nPath: {folder}/bbbb1_.py\n"
        "\n    create b\n\n\n    In two paragraphs.\n\n"
        "State: current\nRev: aaaa1 (branchpoint)\nParent: <base>\n"
        f"Branches into: bbbb1, bbbb2\nPath: {folder}/aaaa1_.py\n"
        "\n    create a\n"
    )


def test_history_without_a_database_has_no_states_and_says_why(
    make_app: MakeApp,
) -> None:
    url = "postgresql://deploy:s3cret@/nowhere?host=/nowhere"
    result = invoke(make_app(url, REVISIONS[:1]), "history")
    assert (result.returncode, result.stdout) == (0, "<base> -> aaaa1 (head), create a\n")
    assert result.stderr.startswith("Warning: no revision is marked as applied or pending. The ")
    assert "s3cret" not in result.stderr


def test_show_tells_a_merge_and_a_dependency_in_full(ini: Path) -> None:
    folder = ini.parent / "migrations" / "versions"
    assert text(ini, "show", "cccc1") == (
        "Rev: cccc1 (head) (mergepoint)\nMerges: bbbb1, bbbb2\nBranch names: left\n"
        f"Path: {folder}/cccc1_.py\n\n    join\n"
    )
    assert text(ini, "show", "dddd1") == (
        f"Rev: dddd1 (head)\nParent: <base>\nAlso depends on: bbbb2\nPath: {folder}/dddd1_.py\n"
        "\n    apart\n"
    )


def test_branches_are_told_with_what_follows(ini: Path) -> None:
    assert text(ini, "branches") == (
        "aaaa1 (branchpoint), create a\n      -> bbbb1 (left), create b\n      -> bbbb2\n"
    )


def test_current_tells_base(ini: Path) -> None:
    assert text(ini, "current") == "base (no revision)\n"


def test_current_tells_each_branch_and_in_full_the_database(ini: Path, sqlite_url: str) -> None:
    invoke(ini, "upgrade")
    assert set(text(ini, "current").splitlines()) == {
        "cccc1 (left) (head) (mergepoint), join",
        "dddd1 (head), apart",
    }
    assert text(ini, "current", "-v").startswith(f"Current revision(s) for {sqlite_url}:\nRev: ")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("heads", "There is no revision yet.\n"),
        ("history", "There is no revision to list.\n"),
        ("branches", "No revision is followed by several others.\n"),
        ("upgrade --sql", "Nothing to do: there is no SQL to write.\n"),
    ],
)
def test_an_empty_answer_says_so_on_standard_error(
    make_app: MakeApp, sqlite_url: str, command: str, told: str
) -> None:
    ini = make_app(sqlite_url)
    result = invoke(ini, *command.split())
    assert (result.returncode, result.stdout, result.stderr) == (0, "", told)
    assert invoke(ini, *command.split(), "-q").stderr == ""
    assert invoke(ini, *command.split(), "--json").stderr == ""


def test_a_run_of_one_revision_is_told_in_the_singular(ini: Path) -> None:
    result = invoke(ini, "upgrade", "aaaa1")
    assert re.fullmatch(
        r"Upgraded 1 revision in \d+ ms: \S+/test\.sqlite is at aaaa1 \(create a\)\.\n",
        result.stdout,
    )


def test_a_target_that_is_past_is_told(ini: Path, sqlite_url: str) -> None:
    invoke(ini, "upgrade", "cccc1")
    assert text(ini, "upgrade", "aaaa1") == (
        f"Nothing to do: {name_of(sqlite_url)} is already past aaaa1; it is at cccc1 (join)."
        " To go back, use `downgrade`.\n"
    )


def test_ensure_version_tells_where_the_database_is(ini: Path, sqlite_url: str) -> None:
    assert text(ini, "ensure-version") == (
        f"The version table says: {name_of(sqlite_url)} is at base (no revision).\n"
    )


def test_a_stamp_tells_from_where_to_where(ini: Path, sqlite_url: str) -> None:
    name, base = name_of(sqlite_url), "base (no revision)"
    assert text(ini, "stamp", "cccc1") == f"Stamped {name} from {base} to cccc1 (join).\n"
    assert text(ini, "stamp", "aaaa1") == f"Stamped {name} from cccc1 (join) to aaaa1 (create a).\n"
    assert text(ini, "stamp", "aaaa1") == f"Stamped {name}, which was at aaaa1 (create a) before.\n"
    assert text(ini, "stamp", "base") == f"Stamped {name} from aaaa1 (create a) to {base}.\n"


def test_a_repair_tells_what_the_version_table_holds(ini: Path) -> None:
    assert text(ini, "repair") == "Nothing to repair: there is no database yet.\n"
    invoke(ini, "ensure-version")
    sound = "Nothing to repair in the version table alembic_version: it holds "
    assert text(ini, "repair") == f"{sound}no row.\n"
    invoke(ini, "stamp", "cccc1")
    assert text(ini, "repair") == f"{sound}cccc1.\n"
    assert text(ini, "repair", "--quiet") == ""


def test_a_new_revision_is_told_by_its_file(ini: Path) -> None:
    folder = ini.parent / "migrations" / "versions"
    written = text(ini, "revision", "-m", "more", "--head", "cccc1", "--rev-id", "eeee1")
    assert written == f"Wrote {folder}/eeee1_more.py\n"


def test_what_autogenerate_found_is_told(
    make_ini: MakeIni, tmp_path: Path, sqlite_url: str
) -> None:
    ini = make_ini(
        {
            "sqlalchemy.url": sqlite_url,
            "alembic.script_location": str(tmp_path / "migrations"),
            "alembic.target_metadata": "myapp.models:Base.metadata",
            "alembic.naming_convention": "myapp.naming:NAMING_CONVENTION",
        }
    )
    invoke(ini, "init", tmp_path / "migrations")
    arguments = ("revision", "--autogenerate", "-m", "users", "--rev-id", "aaaa1")
    assert text(ini, *arguments) == (
        "Found: add table users\n"
        "Found: add index ix_users_email on users (email)\n"
        f"Wrote {tmp_path}/migrations/versions/aaaa1_users.py\n"
    )
    invoke(ini, "upgrade")
    assert text(ini, "check") == "Models and database agree.\n"
    assert text(ini, "revision", "--autogenerate") == (
        "Models and database agree: no revision was written.\n"
    )


def test_the_templates_are_told_in_two_columns(ini: Path) -> None:
    lines = text(ini, "list-templates").splitlines()
    assert lines[0] == "pyramid          Configuration from the .ini file of a Pyramid application."
    # Every description starts in the same column.
    assert all(re.match(r"\w+ +$", line[:17]) and line[17] != " " for line in lines)


def test_sql_is_written_as_it_is(make_app: MakeApp, sqlite_url: str) -> None:
    statement = "SELECT '\x1b[1mbold\x1b[0m  ', 'naïve'"
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=f"op.execute({statement!r})")])
    assert f"{statement};\n" in text(ini, "upgrade", "--sql")


@pytest.mark.parametrize("command", ["heads", "history", "branches", "current", "show head"])
def test_an_answer_ends_with_one_newline(ini: Path, command: str) -> None:
    add_revision(ini.parent / "migrations", Revision("ffff1", ("cccc1", "dddd1"), "the end"))
    shown = text(ini, *command.split())
    assert shown.endswith("\n")
    assert not shown.endswith("\n\n")


def test_the_installed_command_answers_alike(ini: Path) -> None:
    assert run(ini, "heads", installed=True).stdout == text(ini, "heads")
