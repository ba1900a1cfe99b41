"""`plan`: as text, as a document, and its exit status."""

import json
import re
import sys
from pathlib import Path

import pytest
from support.command import invoke
from support.database import change, heads, name_of, tables
from support.history import MakeApp, Revision, create_table
from support.refusal import files
from support.tenants import app_of_several, databases_env

from myapp.migrator.revisions.causes import remedy
from myapp.scripts.plan_answer import format_bytes

CODE = """\
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY i ON users (name)")
op.alter_column("users", "name", new_column_name="title")
[*op.get_bind().execute(sa.text("SELECT 1"))]
"""
LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="rename", upgrade=CODE),
]
LOST = "postgresql://nobody@127.0.0.1:1/lost"
RENAME = "ALTER TABLE users RENAME name TO title"
ERROR = "error renaming-column (line 15): Renaming a column may break existing clients."
SAFE_WAY = [f"      {line}".rstrip() for line in remedy("renaming-column", RENAME).splitlines()]


@pytest.fixture
def ini(make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application at its first revision, in the working directory, with 1,000 users."""
    app = make_app(postgresql_url, LINE)
    monkeypatch.chdir(app.parent)
    change(
        postgresql_url,
        "CREATE TABLE users AS SELECT 'a name' AS name FROM generate_series(1, 1000)",
        "ANALYZE users",
        "CREATE TABLE alembic_version AS SELECT 'aaa111'::varchar(32) AS version_num",
    )
    return app


def test_a_plan_tells_all_of_each_revision(ini: Path, postgresql_url: str) -> None:
    done = invoke(ini, "plan")

    name = name_of(postgresql_url)
    assert (done.returncode, done.stderr) == (0, "")
    # What the server adds to the table's own size differs from server to server.
    assert re.sub(r"\d\d\.\d kB", "SIZE", done.stdout).splitlines() == [
        f"{name} is at aaa111 (add a): 1 revision up to heads.",
        "",
        "bbb222  rename",
        "  migrations/versions/bbb222_.py",
        "  Partly outside a transaction: what fails there is not rolled back.",
        "  Table users: SIZE, about 1,000 rows.",
        "      -- outside a transaction:",
        "      CREATE INDEX CONCURRENTLY i ON users (name);",
        "      -- in a transaction:",
        f"      {RENAME};",
        "      SELECT 1;",
        "  From line 16 on it can't be written as SQL: it asks the database, and goes by the"
        " answer.",
        f"  {ERROR}",
        *SAFE_WAY,
        "",
        "Found: 1 error.",
    ]


def test_strict_ends_with_a_status_of_its_own(ini: Path) -> None:
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    strict = invoke(ini, "plan", "--strict")
    document = json.loads(invoke(ini, "plan", "--strict", "--json").stdout)

    path.write_text(f"# migrate: allow renaming-column because it is new\n{path.read_text()}")
    allowed = invoke(ini, "plan", "--strict")

    assert (strict.returncode, strict.stdout.splitlines()[-1]) == (10, "Found: 1 error. Status 10.")
    assert (document["exit_code"], document["is_refused"], document["ok"]) == (10, True, True)
    assert allowed.returncode == 0
    assert "  allowed renaming-column (line 16), because it is new\n" in allowed.stdout
    assert allowed.stdout.endswith("\nFound: 1 allowed.\n")


def test_quiet_lists_the_revisions(ini: Path) -> None:
    done = invoke(ini, "plan", "-q")

    assert (done.stdout, done.stderr) == ("bbb222  rename\n", "")


def test_a_document_has_it_all(ini: Path) -> None:
    (revision,) = json.loads(invoke(ini, "plan", "--json").stdout)["revisions"]

    (found,) = revision.pop("findings")
    (table,) = revision.pop("tables")
    for key in ("database", "path"):
        revision.pop(key)
    assert revision == {
        "revision": "bbb222",
        "message": "rename",
        "direction": "upgrade",
        "is_transactional": False,
        "is_shared": False,
        "sql": [
            "CREATE INDEX CONCURRENTLY i ON users (name)",
            RENAME,
            "SELECT 1",
        ],
        "unrendered": {"line": 16, "why": "it asks the database, and goes by the answer"},
        "traced": None,
        "schema": "public",
    }
    assert (found["rule"], found["line"], found["allowed"]) == ("renaming-column", 15, None)
    assert (table["name"], table["rows"]) == ("users", 1000)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("plan", "is at aaa111 (add a).\n"),
        ("plan base", "is at aaa111 (add a), which is past base.\nTo see the way back, type"),
        ("plan --down -1", "is at aaa111 (add a): 1 revision down to base.\n"),
        ("plan --from base -q", "aaa111  add a\n"),
    ],
)
def test_what_there_is_to_do(make_app: MakeApp, sqlite_url: str, arguments: str, text: str) -> None:
    app = make_app(sqlite_url, LINE[:1])
    assert invoke(app, "upgrade").returncode == 0

    done = invoke(app, *arguments.split())

    assert (done.returncode, done.stderr) == (0, "")
    assert text in done.stdout


def test_databases_that_stand_alike_are_told_once(make_app: MakeApp, tmp_path: Path) -> None:
    one, two = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("one", "two"))
    app = app_of_several(make_app, databases_env([one, two]), LINE[:1])

    done = invoke(app, "plan")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{one} is at base (no revision): 1 revision up to heads.\n")
    assert done.stdout.endswith(
        f"{two} is at base (no revision): the same 1 revision up to heads as {one}.\n"
    )
    assert done.stdout.count("CREATE TABLE") == 1


def test_databases_in_which_a_revision_differs_are_told_apart(
    make_app: MakeApp, tmp_path: Path
) -> None:
    one, two = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("one", "two"))
    env = databases_env([one, two])
    env = env.replace("run_migrations()", "run_migrations(name=url[-10:-7])")
    app = app_of_several(
        make_app, env, [Revision("aaa111", upgrade="op.execute(f'SELECT {name}')")]
    )
    path = app.parent / "migrations" / "versions" / "aaa111_.py"
    path.write_text(path.read_text().replace("upgrade()", "upgrade(name)"))

    lines = invoke(app, "plan").stdout.splitlines()

    assert [line.strip() for line in lines if "SELECT" in line] == ["SELECT one;", "SELECT two;"]
    assert lines[lines.index(f"{two} is at base (no revision): 1 revision up to heads.") - 1] == ""


def test_a_secret_in_the_sql_is_not_shown(make_app: MakeApp) -> None:
    code = "op.execute(\"CREATE ROLE r PASSWORD 'hunter2000'\")\nraise OSError('hunter2000')"
    app = make_app(
        LOST.replace("nobody@", "nobody:hunter2000@"), [Revision("aaa111", upgrade=code)]
    )

    for arguments in ("plan --from base", "plan --from base --json"):
        done = invoke(app, *arguments.split())
        assert done.returncode == 0
        assert "CREATE ROLE r PASSWORD" in done.stdout
        assert "hunter2000" not in done.stdout + done.stderr


def test_a_downgrade_needs_a_revision(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)

    done = invoke(app, "plan", "--down")

    assert (done.returncode, done.stderr) == (
        2,
        "Error: `plan --down` needs the revision to go down to.\n"
        f"Hint:  type `myapp-migrate {app} plan --down -1`, or name a revision or `base`.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("plan -1", "type `{cmd} plan --down -1`, or turn the sign."),
        ("plan --down +1", "type `{cmd} plan +1`, or turn the sign."),
        ("plan +2", "`{cmd} plan bbb222` applies aaa111 (add a), bbb222 (rename)."),
    ],
)
def test_what_to_type_is_a_plan_again(
    make_app: MakeApp, sqlite_url: str, arguments: str, hint: str
) -> None:
    app = make_app(sqlite_url, [*LINE, Revision("ccc333", "aaa111")])

    done = invoke(app, *arguments.split())

    assert done.returncode != 0
    assert hint.format(cmd=f"myapp-migrate {app}") in done.stderr


def test_a_database_that_is_down_has_a_way_without_it(make_app: MakeApp) -> None:
    app = make_app(LOST, LINE)
    before = files(app.parent)

    done = invoke(app, "plan")

    assert done.returncode == 6
    assert f"`myapp-migrate {app} plan --from REVISION` needs no database." in done.stderr
    assert (done.stdout, files(app.parent)) == ("", before)
    assert invoke(app, "plan", "--from", "aaa111").returncode == 0


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize(
    ("case", "status", "told"),
    [
        ("past", 0, "is past aaa111."),
        ("unknown", 2, "There is no revision `nope`."),
        ("too far", 2, "+9"),
        ("several heads", 8, "2 heads: bbb222 (rename), ccc333 (a change)."),
        ("broken", 2, "No module named 'no_such_module'"),
        ("ahead", 7, "`myapp-migrate {app} plan --from REVISION` needs no database."),
        ("no linter", 0, "1 revision up to heads."),
    ],
)
def test_what_cannot_be_planned_leaves_all_as_it_was(
    make_app: MakeApp,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    status: int,
    told: str,
) -> None:
    revisions = [LINE[0], Revision("bbb222", "aaa111", "rename")]
    if case == "several heads":
        revisions.append(Revision("ccc333", "aaa111"))
    app = make_app(database_url, revisions)
    assert invoke(app, "upgrade", "bbb222" if case == "past" else "aaa111").returncode == 0
    if case == "ahead":
        change(database_url, "UPDATE alembic_version SET version_num = 'fff999'")
    if case == "broken":
        path = app.parent / "migrations" / "versions" / "bbb222_.py"
        path.write_text(f"{path.read_text()}\nimport no_such_module\n")
    if case == "no linter":
        leave_linter_out(monkeypatch)
    before = files(app.parent), tables(database_url), heads(database_url)

    targets = {"past": "aaa111", "unknown": "nope", "too far": "+9", "several heads": "head"}
    done = invoke(app, "plan", targets.get(case, "heads"))

    assert done.returncode == status
    assert told.format(app=app) in done.stdout + done.stderr
    assert (files(app.parent), tables(database_url), heads(database_url)) == before


def leave_linter_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this Python be one without the extra."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")


def test_a_missing_linter_is_told_once(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(LOST, LINE)
    leave_linter_out(monkeypatch)

    done = invoke(app, "plan", "--from", "base", "--strict")

    assert (done.returncode, done.stderr) == (
        0,
        "Squawk is not installed, so no linter has looked at the SQL: `pip install squawk-cli`.\n",
    )
    assert invoke(app, "plan", "--from", "base", "-q").stderr == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (8192, "8.19 kB"), (999_700, "1 MB")],
)
def test_a_size_is_readable(count: int, text: str) -> None:
    assert format_bytes(count) == text
