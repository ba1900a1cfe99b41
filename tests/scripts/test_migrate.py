"""Every command as it is typed: what it answers, and with which status it ends."""

import re
import subprocess
from pathlib import Path

import pytest
from support.command import SCRIPTS, Result, invoke, run
from support.database import change, feed, heads, name_of, tables
from support.history import MakeApp, Revision, create_table

MODELS = {
    "alembic.target_metadata": "myapp.models:Base.metadata",
    "alembic.naming_convention": "myapp.naming:NAMING_CONVENTION",
}
LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
    Revision("ccc333", "bbb222", message="add c", **create_table("c")),
]
BRANCHES = [
    Revision("aaa111", message="root", **create_table("a")),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left", **create_table("b")),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right", **create_table("c")),
    Revision("ddd444", message="other", depends_on="left", **create_table("d")),
]
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/lost"


@pytest.fixture
def line(make_app: MakeApp, database_url: str) -> Path:
    """The .ini file of an app with three revisions, once on each kind of database."""
    return make_app(database_url, LINE)


@pytest.fixture
def branches(make_app: MakeApp, sqlite_url: str) -> Path:
    """The .ini file of an app whose history branches."""
    return make_app(sqlite_url, BRANCHES)


def answer(result: Result) -> str:
    """Return standard output of a command that succeeded and told no story, without durations."""
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def without_times(text: str) -> str:
    return re.sub(r"\d+(\.\d+)? m?s\b", "N ms", text)


# upgrade and downgrade


def test_an_upgrade_tells_each_revision_and_where_it_ended(line: Path, database_url: str) -> None:
    result = invoke(line, "upgrade")

    assert result.returncode == 0
    assert without_times(result.stdout) == (
        f"Upgraded 3 revisions in N ms: {name_of(database_url)} is at ccc333 (add c).\n"
    )
    assert without_times(result.stderr) == (
        "[1/3] aaa111 add a  N ms\n[2/3] bbb222 add b  N ms\n[3/3] ccc333 add c  N ms\n"
    )
    assert tables(database_url) == {"a", "b", "c", "alembic_version"}


def test_a_downgrade_by_one_needs_no_dashes_before_it(line: Path, database_url: str) -> None:
    invoke(line, "upgrade")

    result = invoke(line, "downgrade", "-1")

    assert result.returncode == 0
    assert without_times(result.stdout) == (
        f"Downgraded 1 revision in N ms: {name_of(database_url)} is at bbb222 (add b).\n"
    )
    assert without_times(result.stderr) == (
        "Drops: table c: it has no rows (ccc333)\n[1/1] ccc333 add c (downgrade)  N ms\n"
    )
    assert heads(database_url) == {"bbb222"}


@pytest.mark.parametrize(
    ("start", "command", "end"),
    [
        ("base", ["upgrade", "+2"], "bbb222"),
        ("base", ["upgrade", "bbb2"], "bbb222"),
        ("base", ["upgrade", "head"], "ccc333"),
        ("aaa111", ["upgrade", "aaa111+1"], "bbb222"),
        ("ccc333", ["downgrade", "-2"], "aaa111"),
        ("ccc333", ["downgrade", "--", "-2"], "aaa111"),
        ("ccc333", ["downgrade", "aaa1"], "aaa111"),
        ("ccc333", ["downgrade", "ccc333-1"], "bbb222"),
        ("ccc333", ["downgrade", "base"], "base (no revision)"),
    ],
)
def test_a_run_ends_where_it_is_told_to(
    make_app: MakeApp, sqlite_url: str, start: str, command: list[str], end: str
) -> None:
    app = make_app(sqlite_url, LINE)
    assert invoke(app, "upgrade", start).returncode == 0

    assert invoke(app, *command).returncode == 0

    assert invoke(app, "current").stdout.startswith(end)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["upgrade"], "Nothing to do: NAME is at ccc333 (add c).\n"),
        (["upgrade", "head"], "Nothing to do: NAME is at ccc333 (add c).\n"),
        (["upgrade", "+1"], "Nothing to do: NAME is at ccc333 (add c).\n"),
        (
            ["upgrade", "aaa1"],
            "Nothing to do: NAME is already past aaa1; it is at ccc333 (add c). To go back,"
            " use `downgrade`.\n",
        ),
        (["downgrade", "ccc333"], "Nothing to do: NAME is at ccc333 (add c).\n"),
    ],
)
def test_a_run_with_nothing_to_do_says_where_the_database_stands(
    line: Path, database_url: str, command: list[str], text: str
) -> None:
    invoke(line, "upgrade")

    assert answer(invoke(line, *command)).replace(name_of(database_url), "NAME") == text


@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        (["downgrade"], 2, "Missing argument 'REVISION'."),
        (["upgrade", "head"], 8, "3 heads: "),
        (["upgrade", "aaa111:bbb222"], 2, "`aaa111:bbb222` is a range"),
        (["downgrade", "left@-3"], 2, "`left@-3` asks for 3 revisions down on `left`"),
    ],
)
def test_a_run_that_names_no_goal_changes_nothing(
    branches: Path, sqlite_url: str, command: list[str], status: int, error: str
) -> None:
    invoke(branches, "upgrade", "left@head")

    result = invoke(branches, *command)

    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith(f"Error: {error}")
    assert heads(sqlite_url) == {"bbb222"}


def test_a_branch_is_followed_up_and_down(branches: Path, sqlite_url: str) -> None:
    invoke(branches, "upgrade", "left@head")
    invoke(branches, "upgrade", "right@+1")
    assert heads(sqlite_url) == {"bbb222", "ccc333"}

    refused = invoke(branches, "downgrade", "-1")
    assert refused.returncode == 8
    assert refused.stderr == (
        "Error: 2 heads: bbb222 (left one), ccc333 (right one). `downgrade -1` can't choose one.\n"
        "       * ccc333 right one\n       | * bbb222 left one\n       |/\n       * aaa111 root\n"
        "Hint:  type what you mean:\n"
        f"       `myapp-migrate {branches} downgrade bbb222@-1` undoes bbb222 (left one).\n"
        f"       `myapp-migrate {branches} downgrade ccc333@-1` undoes ccc333 (right one).\n"
    )
    assert invoke(branches, "downgrade", "right@-1").returncode == 0
    assert heads(sqlite_url) == {"bbb222"}
    assert invoke(branches, "upgrade").returncode == 0
    assert heads(sqlite_url) == {"ccc333", "ddd444"}


def test_a_failing_revision_ends_with_status_1_and_no_traceback(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    app = make_app(database_url, [LINE[0], Revision("bbb222", "aaa111", "add b", upgrade="1 / 0")])

    result = invoke(app, "upgrade")

    path = tmp_path / "migrations" / "versions" / "bbb222_.py"
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == [
        "Error: Revision bbb222 (add b) failed and was rolled back: ZeroDivisionError: division by"
        " zero.",
        "       The database stands at aaa111 (add a).",
        f"Hint:  fix {path} (line 13), then run the command again.",
    ]
    assert heads(database_url) == {"aaa111"}


def test_a_failure_outside_a_transaction_ends_with_status_9(
    make_app: MakeApp, database_url: str
) -> None:
    code = "with op.get_context().autocommit_block():\n"
    code += "    op.execute('CREATE TABLE half (id INTEGER)')\n    1 / 0"
    app = make_app(database_url, [LINE[0], Revision("bbb222", "aaa111", "add b", upgrade=code)])

    result = invoke(app, "upgrade")

    assert (result.returncode, result.stdout) == (9, "")
    assert result.stderr.splitlines()[1:4] == [
        "Error: Revision bbb222 (add b) failed outside a transaction: ZeroDivisionError: division"
        " by zero.",
        "       The database stands at aaa111 (add a). Of bbb222, this was committed and stays:",
        "         CREATE TABLE half (id INTEGER)",
    ]
    assert "half" in tables(database_url)


@pytest.mark.parametrize(
    "command", [["upgrade"], ["downgrade", "base"], ["stamp", "aaa111"], ["current"], ["history"]]
)
def test_x_arguments_reach_env_py_from_before_and_after_the_command(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, command: list[str]
) -> None:
    app = make_app(sqlite_url, LINE)
    env = tmp_path / "migrations" / "env.py"
    env.write_text(
        "from pathlib import Path\nfrom alembic import context\n"
        f"seen = Path({str(tmp_path / 'seen')!r})\n"
        "seen.write_text(str(context.get_x_argument(as_dictionary=True)))\n"
        f"{env.read_text()}"
    )

    assert invoke("-x", "a=1", app, *command, "-x", "b=2").returncode == 0

    assert (tmp_path / "seen").read_text() == "{'a': '1', 'b': '2'}"


def test_a_tag_reaches_a_migration(make_app: MakeApp, sqlite_url: str) -> None:
    code = """
        from alembic import context
        op.create_table(context.get_tag_argument(), sa.Column("id", sa.Integer))
    """
    app = make_app(sqlite_url, [Revision("aaa111", upgrade=code)])

    assert invoke(app, "upgrade", "--tag", "tagged").returncode == 0
    assert "tagged" in tables(sqlite_url)


# --sql


def test_the_sql_of_an_upgrade_is_piped_into_the_database(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    lost = UNREACHABLE if database_url.startswith("postgresql") else "sqlite:////no/such/x.sqlite"

    result = run(make_app(lost, LINE), "upgrade", "head", "--sql")

    assert (result.returncode, result.stderr) == (0, "")
    feed(database_url, result.stdout)
    assert heads(database_url) == {"ccc333"}
    assert tables(database_url) == {"a", "b", "c", "alembic_version"}


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["upgrade", "aaa111:bbb222"], ["upgrade aaa111 -> bbb222"]),
        (["upgrade", "current:head"], ["upgrade bbb222 -> ccc333"]),
        (["downgrade", "current:-1"], ["downgrade bbb222 -> aaa111"]),
        (
            ["downgrade", "ccc333:aaa111"],
            ["downgrade ccc333 -> bbb222", "downgrade bbb222 -> aaa111"],
        ),
        (["stamp", "head"], ["stamp_revision  -> ccc333"]),
        (["stamp", "current:head"], ["stamp_revision bbb222 -> ccc333"]),
        (["ensure-version"], []),
    ],
)
def test_sql_starts_at_the_database_only_when_asked(
    line: Path, database_url: str, command: list[str], runs: list[str]
) -> None:
    invoke(line, "upgrade", "bbb222")

    text = answer(invoke(line, *command, "--sql"))

    assert re.findall(r"^-- Running (.*)$", text, re.M) == runs
    assert heads(database_url) == {"bbb222"}


def test_purge_and_sql_exclude_each_other(line: Path) -> None:
    result = invoke(line, "stamp", "head", "--purge", "--sql")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `--purge` needs a database, and `--sql` uses none.\nHint:  drop one.\n"
    )


def test_a_downgrade_as_sql_needs_a_start(line: Path) -> None:
    result = invoke(line, "downgrade", "-1", "--sql")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `downgrade --sql` needs a start: it does not look at the database.\n"
        "Hint:  write `downgrade FROM:-1 --sql`; FROM may be `current`.\n"
    )


# current, history, heads, branches, show


def test_current_tells_the_revision(line: Path) -> None:
    assert answer(invoke(line, "current")) == "base (no revision)\n"
    invoke(line, "upgrade", "bbb222")
    assert answer(invoke(line, "current")) == "bbb222, add b\n"
    invoke(line, "upgrade")
    assert answer(invoke(line, "current")) == "ccc333 (head), add c\n"


def test_current_names_what_a_branch_depends_on(branches: Path) -> None:
    invoke(branches, "upgrade", "ddd444")

    assert answer(invoke(branches, "current")) == (
        "ddd444 (head), other\nbbb222 (left) (head), left one\n"
    )


def test_current_in_full_hides_the_password(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    app = make_app(postgresql_url, LINE)
    invoke(app, "upgrade", "bbb222")

    first, *rest = answer(invoke(app, "current", "-v")).splitlines()

    assert re.fullmatch(
        r"Current revision\(s\) for postgresql\+psycopg2://deploy:\*\*\*@/t_\w+:", first
    )
    assert rest == [
        "Rev: bbb222",
        "Parent: aaa111",
        f"Path: {tmp_path / 'migrations' / 'versions' / 'bbb222_.py'}",
        "",
        "    add b",
    ]


@pytest.mark.parametrize("option", ["--check-heads", "-c"])
def test_check_heads_ends_with_status_3_until_all_is_applied(line: Path, option: str) -> None:
    invoke(line, "upgrade", "bbb222")

    behind = invoke(line, "current", option)
    invoke(line, "upgrade")
    at_head = invoke(line, "current", option)

    assert (behind.returncode, behind.stdout) == (3, "")
    assert behind.stderr == (
        "Error: 1 revision pending: the database stands at bbb222 (add b).\n"
        f"Hint:  apply them with `myapp-migrate {line} upgrade`.\n"
    )
    assert answer(at_head) == "ccc333 (head), add c\n"


def test_history_marks_each_revision(line: Path) -> None:
    invoke(line, "upgrade", "bbb222")

    assert answer(invoke(line, "history")) == (
        "pending bbb222 -> ccc333 (head), add c\n"
        "current aaa111 -> bbb222, add b\n"
        "applied <base> -> aaa111, add a\n"
    )


def test_history_shows_dependencies_labels_and_branch_points(branches: Path) -> None:
    lines = answer(invoke(branches, "history")).splitlines()

    assert sorted(lines) == [
        "pending <base> (left) -> ddd444 (head), other",
        "pending <base> -> aaa111 (branchpoint), root",
        "pending aaa111 -> bbb222 (left) (head), left one",
        "pending aaa111 -> ccc333 (right) (head), right one",
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-r", "bbb222:"], ["ccc333", "bbb222"]),
        (["-r", ":bbb222"], ["bbb222", "aaa111"]),
        (["--rev-range", "aaa111:bbb222"], ["bbb222", "aaa111"]),
        (["-r", "current:"], ["ccc333", "bbb222"]),
        (["-r", ":current"], ["bbb222", "aaa111"]),
        (["-r", "-1:current"], ["bbb222"]),
        (["-r-2:current"], ["bbb222", "aaa111"]),
        (["--rev-range=-2:current"], ["bbb222", "aaa111"]),
        (["-i"], ["ccc333", "bbb222", "aaa111"]),
    ],
)
def test_history_shows_a_range(line: Path, options: list[str], shown: list[str]) -> None:
    invoke(line, "upgrade", "bbb222")

    lines = answer(invoke(line, "history", *options)).splitlines()

    assert [re.sub(r"^.* -> (\w+).*$", r"\1", text) for text in lines] == shown


def test_history_in_full(line: Path, tmp_path: Path) -> None:
    invoke(line, "upgrade", "aaa111")

    versions = tmp_path / "migrations" / "versions"
    assert answer(invoke(line, "history", "-v", "-r", "aaa111:bbb222")) == (
        f"State: pending\nRev: bbb222\nParent: aaa111\nPath: {versions / 'bbb222_.py'}\n\n"
        f"    add b\n\n"
        f"State: current\nRev: aaa111\nParent: <base>\nPath: {versions / 'aaa111_.py'}\n\n"
        f"    add a\n"
    )


def test_history_without_the_database_is_unmarked_and_says_so(make_app: MakeApp) -> None:
    result = invoke(make_app(UNREACHABLE, LINE), "history")

    assert (result.returncode, result.stdout) == (
        0,
        "bbb222 -> ccc333 (head), add c\naaa111 -> bbb222, add b\n<base> -> aaa111, add a\n",
    )
    assert result.stderr.startswith(
        "Warning: no revision is marked as applied or pending. The database can't be used: "
    )


@pytest.mark.parametrize("options", [["-i"], ["-r", "current:"]])
def test_history_that_needs_the_database_ends_with_status_6(
    make_app: MakeApp, options: list[str]
) -> None:
    result = invoke(make_app(UNREACHABLE, LINE), "history", *options)

    assert (result.returncode, result.stdout) == (6, "")
    assert result.stderr.startswith("Error: The database can't be used: ")


def test_heads_are_shown(branches: Path) -> None:
    assert sorted(answer(invoke(branches, "heads")).splitlines()) == [
        "bbb222 (left) (head), left one",
        "ccc333 (right) (head), right one",
        "ddd444 (head), other",
    ]
    assert sorted(answer(invoke(branches, "heads", "--resolve-dependencies")).splitlines()) == [
        "ccc333 (right) (head), right one",
        "ddd444 (head), other",
    ]


def test_heads_in_full(branches: Path, tmp_path: Path) -> None:
    text = answer(invoke(branches, "heads", "-v"))

    assert (
        "Rev: ddd444 (head)\nParent: <base>\nAlso depends on: left\n"
        f"Path: {tmp_path / 'migrations' / 'versions' / 'ddd444_.py'}\n\n    other\n"
    ) in text


def test_branches_are_shown(branches: Path) -> None:
    assert answer(invoke(branches, "branches")) == (
        "aaa111 (branchpoint), root\n"
        "       -> bbb222 (left) (head), left one\n"
        "       -> ccc333 (right) (head), right one\n"
    )


def test_show_tells_a_revision_in_full(branches: Path, tmp_path: Path) -> None:
    assert answer(invoke(branches, "show", "aaa")) == (
        "Rev: aaa111 (branchpoint)\n"
        "Parent: <base>\n"
        "Branches into: bbb222, ccc333\n"
        f"Path: {tmp_path / 'migrations' / 'versions' / 'aaa111_.py'}\n"
        "\n"
        "    root\n"
    )


@pytest.mark.parametrize(
    ("target", "shown"),
    [("head", ["ccc333"]), ("heads", ["ccc333"]), ("current", ["aaa111"]), ("ccc333", ["ccc333"])],
)
def test_show_takes_symbols(line: Path, target: str, shown: list[str]) -> None:
    invoke(line, "upgrade", "aaa111")

    assert re.findall(r"^Rev: (\w+)", answer(invoke(line, "show", target)), re.M) == shown


def test_show_of_base_names_nothing(line: Path) -> None:
    result = invoke(line, "show", "base")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `base` names no revision.\n"
        f"Hint:  `myapp-migrate {line} history` lists the revisions.\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["current"],
        ["current", "--check-heads"],
        ["heads"],
        ["history"],
        ["history", "-i"],
        ["branches"],
        ["show", "head"],
        ["check"],
        ["upgrade", "--sql"],
        ["upgrade", "current:head", "--sql"],
        ["downgrade", "current:base", "--sql"],
        ["stamp", "head", "--sql"],
        ["ensure-version", "--sql"],
    ],
)
def test_a_reading_command_creates_nothing(
    make_app: MakeApp, database_url: str, tmp_path: Path, command: list[str]
) -> None:
    app = make_app(database_url, LINE)
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}

    result = invoke(app, *command)

    assert result.returncode in (0, 3)
    after = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert after == before
    if database_url.startswith("postgresql"):
        assert tables(database_url) == set()


@pytest.mark.parametrize(
    "command", [["heads"], ["branches"], ["show", "head"], ["upgrade", "--sql"], ["list-templates"]]
)
def test_a_command_about_the_files_alone_asks_no_database(
    make_app: MakeApp, command: list[str]
) -> None:
    assert invoke(make_app(UNREACHABLE, LINE), *command).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ["upgrade"],
        ["downgrade", "base"],
        ["current"],
        ["check"],
        ["stamp", "head"],
        ["ensure-version"],
        ["show", "current"],
        ["upgrade", "current:head", "--sql"],
    ],
)
def test_a_command_that_needs_the_database_ends_with_status_6_without_it(
    make_app: MakeApp, command: list[str]
) -> None:
    result = invoke(make_app(UNREACHABLE, LINE), *command)

    assert (result.returncode, result.stdout) == (6, "")
    assert result.stderr.startswith("Error: The database can't be used: connection to server at")
    assert "Traceback" not in result.stderr


# what writes revision files


def test_a_new_revision_is_named(line: Path, tmp_path: Path) -> None:
    result = invoke(line, "revision", "-m", "Add d", "--rev-id", "ddd444")

    path = tmp_path / "migrations" / "versions" / "ddd444_add_d.py"
    assert (result.returncode, result.stdout) == (0, f"Wrote {path}\n")
    assert path.exists()


def test_revision_takes_every_option(branches: Path, tmp_path: Path) -> None:
    result = invoke(
        branches,
        *("revision", "--message", "Add e", "--head", "aaa111", "--splice"),
        *("--branch-label", "extra", "--rev-id", "eee555"),
        *("--depends-on", "left", "--depends-on", "ccc333"),
        *("--version-path", tmp_path / "migrations" / "versions"),
    )

    assert result.returncode == 0
    assert answer(invoke(branches, "show", "extra")).splitlines()[:4] == [
        "Rev: eee555 (head)",
        "Parent: aaa111",
        "Also depends on: left, ccc333",
        "Branch names: extra",
    ]


def test_an_autogenerate_that_finds_nothing_says_so(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    app = make_app(database_url, [], MODELS)
    versions = tmp_path / "migrations" / "versions"
    first = invoke(app, "revision", "--autogenerate", "-m", "First", "--rev-id", "aaa111")
    assert first.stdout == (
        "Found: add table users\n"
        "Found: add index ix_users_email on users (email)\n"
        f"Wrote {versions / 'aaa111_first.py'}\n"
    )
    assert invoke(app, "upgrade").returncode == 0

    second = invoke(app, "revision", "--autogenerate", "-m", "Second")

    assert answer(second) == "Models and database agree: no revision was written.\n"
    assert [path.name for path in versions.glob("*.py")] == ["aaa111_first.py"]
    assert answer(invoke(app, "check")) == "Models and database agree.\n"


def test_drift_is_listed_and_ends_with_status_4(make_app: MakeApp, database_url: str) -> None:
    app = make_app(database_url, LINE, MODELS)
    invoke(app, "upgrade", "aaa111")
    assert invoke(app, "check").returncode == 3
    invoke(app, "upgrade")

    result = invoke(app, "check")

    assert (result.returncode, result.stdout) == (4, "")
    first, *differences, hint = result.stderr.splitlines()
    assert first == "Error: Models and database differ, 5 differences:"
    assert differences == [
        "         add table users",
        "         remove table a",
        "         remove table b",
        "         remove table c",
        "         add index ix_users_email on users (email)",
    ]
    assert hint == (
        f"Hint:  write the missing revision with `myapp-migrate {app} revision --autogenerate -m"
        ' "..."`.'
    )


def test_heads_are_merged(branches: Path) -> None:
    command = ["merge", "left", "right", "ddd444", "-m", "Join", "--rev-id", "eee555"]

    assert invoke(branches, *command).returncode == 0
    assert answer(invoke(branches, "heads")) == "eee555 (left, right) (head) (mergepoint), Join\n"


def test_edit_opens_the_editor(line: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "# edited" >> "$1"\n')
    editor.chmod(0o755)

    result = run(line, "edit", "head", env={"EDITOR": str(editor)})

    path = tmp_path / "migrations" / "versions" / "ccc333_.py"
    assert (result.returncode, result.stdout) == (0, "ccc333 (head), add c\n")
    assert path.read_text().endswith("# edited\n")


# what writes the version table


@pytest.mark.parametrize("name", ["ensure-version", "ensure_version"])
def test_ensure_version_makes_the_version_table(line: Path, database_url: str, name: str) -> None:
    assert answer(invoke(line, name)) == (
        f"The version table says: {name_of(database_url)} is at base (no revision).\n"
    )
    assert tables(database_url) == {"alembic_version"}


def test_stamp_writes_several_revisions(branches: Path, sqlite_url: str) -> None:
    assert answer(invoke(branches, "stamp", "left@head", "right@head")) == (
        f"Stamped {name_of(sqlite_url)} from base (no revision) to"
        " bbb222 (left one), ccc333 (right one).\n"
    )
    assert tables(sqlite_url) == {"alembic_version"}


def test_stamp_purge_forgets_a_revision_that_no_file_has(line: Path, database_url: str) -> None:
    invoke(line, "stamp", "head")
    change(database_url, "UPDATE alembic_version SET version_num = 'fff999'")

    refused = invoke(line, "stamp", "bbb222")
    forced = invoke(line, "stamp", "--purge", "bbb222")

    assert refused.returncode == 7
    assert "stamp --purge REVISION` for the revision that the database is like" in refused.stderr
    assert answer(forced) == f"Stamped {name_of(database_url)} from fff999 to bbb222 (add b).\n"
    assert heads(database_url) == {"bbb222"}


# in a shell


def test_a_reader_that_has_seen_enough_ends_nothing_badly(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ids = [f"r{number:04}" for number in range(2000)]
    long = [
        Revision(each, before, message="a message that is rather long " * 3)
        for each, before in zip(ids, [None, *ids], strict=False)
    ]
    app = make_app(sqlite_url, long)
    script = f"'{SCRIPTS / 'myapp-migrate'}' '{app}' history | head -1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=False, encoding="utf-8", timeout=60
    )

    first, status = done.stdout.splitlines()
    assert first.startswith("pending r1998 -> r1999 (head), a message")
    assert (status, done.stderr) == ("0", "")
