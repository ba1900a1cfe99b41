"""`verify`: what the revisions are, proven in a scratch database."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import postgresql
from support.command import Result, invoke
from support.database import rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.models import MakeModels
from support.processes import Start, until, write_env
from support.scratches import left_over
from support.sessions import plain_user
from support.tenants import schemas_env

from myapp.migrator.base.proofs import STEPS

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]
ENVIRONMENTS = pytest.mark.parametrize("env", [None, foreign_env("")], ids=["own", "foreign"])
#: A revision whose downgrade forgets the type that its upgrade has made.
ENUM = Revision(
    "ccc333",
    "bbb222",
    upgrade="op.execute(\"CREATE TYPE mood AS ENUM ('fine')\")",
    downgrade="op.execute('SELECT 1')",
)


@pytest.fixture(autouse=True)
def _surroundings(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep scratch files among the test's own, and what a CI service sets away."""
    for name in (
        "GITHUB_ACTIONS",
        "GITHUB_BASE_REF",
        "CI_DEFAULT_BRANCH",
        "GIT_DIR",
        "GITHUB_WORKSPACE",
    ):
        monkeypatch.delenv(name, raising=False)


def findings(ini: Path, *options: str, status: int) -> list[tuple[object, ...]]:
    """Return the step, revision, line and message of each finding, and see that nothing stays."""
    result = invoke(ini, "verify", "--json", *options)
    assert result.returncode == status, result
    document = json.loads(result.stdout)
    assert document["exit_code"] == status
    return [
        (step["step"], each["revision"], each["line"], each["message"])
        for step in document["proofs"]
        for each in step["findings"]
    ]


@ENVIRONMENTS
def test_what_works_is_proven_and_the_configured_database_is_not_touched(
    env: str | None, make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, LINE)
    if env:
        write_env(ini, env)
    before = left_over(database_url)
    result = invoke(ini, "verify", "--skip", "lint")
    assert (result.returncode, result.stdout) == (
        0,
        "Proven for 2 revisions: imports, heads, upgrade, stairway, downgrades, docstrings."
        " Skipped: models, lint, trace.\n",
    ), result.stderr
    if database_url.startswith("sqlite"):
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
    else:
        assert tables(database_url) == set()
    assert left_over(database_url) == before


def test_each_step_is_told_as_it_ends(make_app: MakeApp, sqlite_url: str) -> None:
    result = invoke(make_app(sqlite_url, LINE), "verify", "--step", "stairway")
    told = [line.rsplit("  ", 1)[0] for line in result.stderr.splitlines()]
    assert told == [
        "imports    passed  2 revisions",
        "stairway   passed  2 revisions up, down and up",
    ]
    assert invoke(make_app_ini(sqlite_url), "verify", "-q", "--step", "heads").stderr == ""


def make_app_ini(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///")).with_name("app.ini")


def test_what_a_downgrade_leaves_is_shown_and_the_way_goes_on(
    make_app: MakeApp, postgresql_url: str
) -> None:
    above = Revision("ddd444", "ccc333", **create_table("d"))
    ini = make_app(postgresql_url, [*LINE, ENUM, above])
    before = left_over(postgresql_url)
    result = invoke(ini, "verify", "--step", "stairway")
    path = ini.parent / "migrations/versions/ccc333_.py"
    assert result.returncode == 1
    assert result.stdout == (
        f"{path}:16: stairway: error\n"
        "    After `downgrade()` the schema is another one than before `upgrade()`:\n"
        "    + type public.mood is left over\n"
        "Not proven: stairway failed, for 4 revisions.\n"
    )
    assert "4 revisions up, down and up" in result.stderr
    assert left_over(postgresql_url) == before


#: What a downgrade forgets, which autogenerate doesn't see: the SQL, and how the rest is told.
UNSEEN = {
    "ALTER TABLE t DROP CONSTRAINT IF EXISTS p, ADD CONSTRAINT p CHECK (x > 0)": (
        "+ constraint p ON public.t is left over"
    ),
    "ALTER TYPE feeling ADD VALUE IF NOT EXISTS 'bad'": (
        "~ type public.feeling: enum was 'good', and is 'good',\n'bad'"
    ),
    "CREATE OR REPLACE TRIGGER tr BEFORE UPDATE ON t EXECUTE FUNCTION"
    " suppress_redundant_updates_trigger()": "+ trigger tr ON public.t is left over",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": (
        "+ function public.f() is left over"
    ),
    "CREATE OR REPLACE VIEW v AS SELECT x FROM t": "+ view public.v is left over",
    "CREATE SEQUENCE IF NOT EXISTS s": "+ sequence public.s is left over",
    "COMMENT ON COLUMN t.x IS 'said'": ("~ column public.t.x: comment was not set, and is said"),
    "GRANT SELECT ON t TO public": (
        "~ table public.t: privileges was not set, and is GRANT SELECT TO PUBLIC"
    ),
}


def test_what_autogenerate_does_not_see_is_found_with_its_line(
    make_app: MakeApp, postgresql_url: str
) -> None:
    made = "CREATE TABLE t (x int); CREATE TYPE feeling AS ENUM ('good')"
    gone = "DROP TABLE t; DROP TYPE feeling"
    line = [Revision("r0", upgrade=f"op.execute({made!r})", downgrade=f"op.execute({gone!r})")]
    for number, sql in enumerate(UNSEEN):
        # The second way up changes nothing, so that one scratch database is enough.
        line.append(
            Revision(
                f"r{number + 1}",
                f"r{number}",
                upgrade=f"op.execute({sql!r})",
                downgrade="op.execute('SELECT 1')",
            )
        )
    found = findings(make_app(postgresql_url, line), "--step", "stairway", status=1)
    assert [each[:3] for each in found] == [
        ("stairway", f"r{number + 1}", 16) for number in range(len(UNSEEN))
    ]
    assert [str(each[3]).partition("\n")[2] for each in found] == [*UNSEEN.values()]


def test_a_difference_on_sqlite_is_shown(make_app: MakeApp, sqlite_url: str) -> None:
    left = Revision("ccc333", "bbb222", upgrade="op.create_index('i', 'a', ['id'])")
    found = findings(make_app(sqlite_url, [*LINE, left]), "--step", "stairway", status=1)
    assert found == [
        (
            "stairway",
            "ccc333",
            16,
            "After `downgrade()` the schema is another one than before `upgrade()`:\n"
            "+ index i is left over",
        )
    ]


def test_a_column_that_comes_back_may_be_the_last_one(make_app: MakeApp, database_url: str) -> None:
    two = Revision(
        "aaa111",
        upgrade="op.execute('CREATE TABLE t (x int, y int)')",
        downgrade="op.drop_table('t')",
    )
    less = Revision(
        "bbb222",
        "aaa111",
        upgrade="op.execute('ALTER TABLE t DROP COLUMN x')",
        downgrade="op.execute('ALTER TABLE t ADD COLUMN x int')",
    )
    ini = make_app(database_url, [two, less])
    assert findings(ini, "--step", "stairway", status=0) == []
    assert (
        "stairway: The way down puts columns in another order, which is no failure: one that comes"
        " back is the last of its table. bbb222 (a change).\n"
    ) in invoke(ini, "verify", "--step", "stairway").stdout


def test_a_branch_and_a_merge_are_climbed_in_the_order_of_an_upgrade(
    make_app: MakeApp, database_url: str
) -> None:
    fork = [
        *LINE,
        Revision("ccc333", "aaa111", **create_table("c")),
        Revision("ddd444", ("bbb222", "ccc333")),
        Revision("eee555", None, depends_on="bbb222", **create_table("e")),
    ]
    assert findings(make_app(database_url, fork), "--step", "stairway", status=0) == []


def test_a_downgrade_that_raises_has_its_line_and_the_others_are_tried(
    make_app: MakeApp, database_url: str
) -> None:
    bad = Revision("ccc333", "bbb222", downgrade="op.drop_table('nothing')")
    worse = Revision("ddd444", "ccc333", downgrade="1 / 0")
    found = findings(make_app(database_url, [*LINE, bad, worse]), "--step", "stairway", status=1)
    assert [each[:3] for each in found] == [("stairway", "ccc333", 17), ("stairway", "ddd444", 17)]
    assert found[1][3] == "`downgrade()` failed: ZeroDivisionError: division by zero."


def test_an_upgrade_that_raises_has_its_line_and_what_needs_it_is_skipped(
    make_app: MakeApp, database_url: str
) -> None:
    before = left_over(database_url)
    ini = make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade="1 / 0")])
    result = invoke(ini, "verify", "--skip", "stairway", "--skip", "downgrades")
    path = ini.parent / "migrations/versions/ccc333_.py"
    assert result.returncode == 1
    assert result.stdout == (
        f"{path}:13: upgrade: error\n"
        "    `upgrade()` failed: ZeroDivisionError: division by zero.\n"
        "Not proven: upgrade failed, for 3 revisions.\n"
    )
    assert "models     skipped `upgrade` did not pass\n" in result.stderr
    assert left_over(database_url) == before


def test_the_stairway_says_how_far_it_came(make_app: MakeApp, sqlite_url: str) -> None:
    more = [Revision("ccc333", "bbb222", upgrade="1 / 0"), Revision("ddd444", "ccc333")]
    result = invoke(make_app(sqlite_url, [*LINE, *more]), "verify", "--step", "stairway")
    assert result.returncode == 1
    assert "stairway: 1 revision not tried after that.\n" in result.stdout


def marked(ini: Path, id_: str, comment: str) -> None:
    path = ini.parent / "migrations" / "versions" / f"{id_}_.py"
    path.write_text(path.read_text() + f"\n# migrate: {comment}\n")


@pytest.mark.parametrize("body", ["raise NotImplementedError", "pass"])
def test_a_downgrade_without_effect_is_told_unless_the_file_says_why(
    body: str, make_app: MakeApp, sqlite_url: str
) -> None:
    bad = Revision("ccc333", "bbb222", message="drop a", upgrade="op.drop_table('a')")
    ini = make_app(sqlite_url, [*LINE, Revision(**{**vars(bad), "downgrade": body})])
    does = "does nothing, and `upgrade()` does something" if body == "pass" else ""
    (found,) = findings(ini, "--step", "downgrades", status=1)
    assert found == (
        "downgrades",
        "ccc333",
        16,
        f"`downgrade()` {does or 'only raises an exception'}."
        " Undo it there, or write `# migrate: irreversible because REASON`.",
    )
    marked(ini, "ccc333", "irreversible because the rows are gone")
    result = invoke(ini, "verify", "--step", "downgrades", "--step", "stairway")
    assert result.returncode == 0
    assert "downgrades: allowed because the rows are gone\n" in result.stdout
    assert "stairway: ccc333 (drop a) only goes up: the rows are gone\n" in result.stdout
    assert "stairway   passed  2 revisions up, down and up, 1 up only  " in result.stderr


def test_irreversible_needs_a_reason(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    marked(ini, "bbb222", "irreversible")
    (found,) = findings(ini, "--step", "downgrades", status=1)
    assert found[2:] == (
        19,
        "The comment gives no reason. Write it as `# migrate: irreversible because REASON`.",
    )


def test_a_comment_that_is_misspelt_proves_nothing(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    marked(ini, "bbb222", "ireversible because the rows are gone")
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    (found,) = findings(ini, "--step", "docstrings", status=2)
    assert found == (
        "imports",
        "bbb222",
        19,
        f"{path}, line 19: `# migrate: ireversible` is no comment that is known. So what it was to"
        " say does not hold. Did you mean `# migrate: irreversible`?",
    )


def test_a_merge_that_does_nothing_has_nothing_to_undo(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [*LINE, Revision("ccc333", "bbb222")])
    assert findings(ini, "--step", "downgrades", status=0) == []


def test_a_file_without_a_docstring_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    path = ini.parent / "migrations/versions/bbb222_.py"
    path.write_text(path.read_text().partition("\n")[2])
    assert findings(ini, "--step", "docstrings", status=1) == [
        (
            "docstrings",
            "bbb222",
            1,
            "The file has no docstring, so that nobody reads what it is for.",
        )
    ]


def test_several_heads_are_told_and_the_rest_is_proven(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, [*LINE, Revision("ccc333", "aaa111", **create_table("c"))])
    found = findings(ini, "--skip", "lint", status=8)
    assert sorted(found) == [
        ("heads", id_, 7, "It is one of several heads, which `merge heads` joins.")
        for id_ in ("bbb222", "ccc333")
    ]
    shown = invoke(ini, "verify", "--step", "heads").stdout
    assert "\n    * bbb222 " in shown
    assert "\n    | * ccc333 " in shown
    assert "\n    |/\n    * aaa111 " in shown
    told = json.loads(invoke(ini, "verify", "--step", "heads", "--json").stdout)
    assert told["fork"]["ancestor"] == "aaa111"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [("def upgrade(:\n", 1, "invalid syntax"), ("x = 1\n1 / 0\n", 2, "ZeroDivisionError")],
)
def test_a_broken_file_is_told_and_nothing_runs(
    text: str, line: int, said: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    path = ini.parent / "migrations/versions/bbb222_.py"
    path.write_text(text)
    (found,) = findings(ini, status=2)
    assert (found[0], found[2]) == ("imports", line)
    assert said in str(found[3])


def test_the_models_are_compared(
    make_app: MakeApp, make_models: MakeModels, database_url: str
) -> None:
    metadata = make_models("Table('b', metadata, Column('id', Integer, primary_key=True))\n")
    ini = make_app(database_url, LINE, {"alembic.target_metadata": metadata})
    result = invoke(ini, "verify", "--step", "models")
    assert result.returncode == 4, result
    file = ini.parent / f"{metadata.partition(':')[0]}.py"
    assert result.stdout == (
        f"{file}:1: models: error\n    remove table a\n"
        "Not proven: models failed, for 2 revisions.\n"
    )


def test_a_difference_of_the_models_is_shown_where_they_say_it(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    metadata = make_models(
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
        "class Base(DeclarativeBase):\n    metadata = metadata\n"
        "class A(Base):\n    __tablename__ = 'a'\n"
        "    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    name: Mapped[str | None]\n"
        "    mail: Mapped[str | None] = mapped_column('e_mail')\n"
        "t = Table(\n    'b', metadata,\n    Column('id', Integer, primary_key=True),\n"
        "    Column('x', Integer),\n)\n"
        "class C(Base):\n    __tablename__ = 'c'\n    __table_args__ = {'schema': None}\n"
        "    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    ini = make_app(sqlite_url, LINE, {"alembic.target_metadata": metadata})
    lines = (ini.parent / f"{metadata.partition(':')[0]}.py").read_text().splitlines()
    shown = {
        said: lines[int(str(line)) - 1].strip()
        for _, _, line, said in findings(ini, "--step", "models", status=4)
    }
    assert shown == {
        "add table c": "class C(Base):",
        "add column a.name": "name: Mapped[str | None]",
        "add column a.e_mail": "mail: Mapped[str | None] = mapped_column('e_mail')",
        "add column b.x": "Column('x', Integer),",
    }


def test_a_module_of_models_that_fails_has_its_own_error_and_line(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    metadata = make_models("\n1 / 0\n")
    ini = make_app(sqlite_url, LINE, {"alembic.target_metadata": metadata})
    (found,) = findings(ini, "--step", "models", status=2)
    assert found[0] == "models"
    assert "ZeroDivisionError: division by zero" in str(found[3])
    file = ini.parent / f"{metadata.partition(':')[0]}.py"
    assert file.read_text().splitlines()[int(str(found[2])) - 1] == "1 / 0"


def test_an_unknown_step_is_told_with_the_known_ones(make_app: MakeApp, sqlite_url: str) -> None:
    result = invoke(make_app(sqlite_url, LINE), "verify", "--step", "stairs")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: `stairs` is no step of `verify`. The steps are: imports, heads, upgrade, stairway,"
        " models, downgrades, docstrings, lint, trace.\n"
        "Hint:  did you mean `stairway`?\n"
    )


def test_what_skip_leaves_out_is_told_with_the_steps_that_need_it(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    report = ini.parent / "report.xml"
    words = ["--skip", "upgrade", "--skip", "stairway", "--junit", str(report)]
    result = invoke(ini, "verify", *words)
    assert (result.returncode, result.stdout) == (
        0,
        "Proven for 2 revisions: imports, heads, downgrades, docstrings."
        " Skipped: upgrade, stairway, models, lint, trace.\n",
    )
    needs_it = "it needs `upgrade`, which `--skip` leaves out"
    assert f"models     skipped {needs_it}\n" in result.stderr
    told = json.loads(invoke(ini, "verify", "--json", *words).stdout)["proofs"]
    assert {each["step"]: each["skipped"] for each in told if each["state"] == "skipped"} == {
        "upgrade": "`--skip` leaves it out",
        "stairway": "`--skip` leaves it out",
        "models": needs_it,
        "lint": needs_it,
        "trace": needs_it,
    }
    assert report.read_text().count("<skipped") == 5


@pytest.mark.parametrize("left_out", ["lint", "upgrade", "imports"])
def test_a_step_that_is_asked_for_and_left_out_is_an_error(
    left_out: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    result = invoke(ini, "verify", "--step", "lint", "--step", "heads", "--skip", left_out)
    assert (result.returncode, result.stdout) == (2, "")
    why = "" if left_out == "lint" else ", which `lint` needs"
    assert result.stderr == (
        "Error: `--step lint` asks for a step that can't be taken: `--skip` leaves out"
        f" `{left_out}`{why}.\n"
        f"Hint:  take out `--step lint` or `--skip {left_out}`.\n"
    )


def test_the_status_is_that_of_the_first_step_that_failed(
    make_app: MakeApp, make_models: MakeModels, sqlite_url: str
) -> None:
    metadata = make_models("Table('b', metadata, Column('id', Integer, primary_key=True))\n")
    empty = Revision("ccc333", "bbb222", upgrade=create_table("c")["upgrade"])
    ini = make_app(sqlite_url, [*LINE, empty], {"alembic.target_metadata": metadata})
    document = json.loads(invoke(ini, "verify", "--json", "--skip", "stairway").stdout)
    statuses = {step["step"]: step["exit_code"] for step in document["proofs"]}
    assert (statuses["models"], statuses["downgrades"], document["exit_code"]) == (4, 1, 4)


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


def test_what_is_new_since_the_default_branch_is_linted(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    git(ini.parent, "init", "-b", "main")
    git(ini.parent, "add", "migrations")
    git(ini.parent, "commit", "-m", "first")
    git(ini.parent, "checkout", "-b", "change")
    new = Revision("ccc333", "bbb222", upgrade="op.create_index('i', 'a', ['id'])")
    make_one_more(ini, new)
    found = findings(ini, "--step", "lint", status=10)
    assert [each[:3] for each in found] == [("lint", "ccc333", 13)]
    marked(ini, "ccc333", "allow require-concurrent-index-creation because the table is small")
    result = invoke(ini, "verify", "--step", "lint")
    assert result.returncode == 0, result
    assert "lint: allowed because the table is small (require-concurrent" in result.stdout
    assert "1 new revision since " in result.stderr


def test_what_a_new_revision_locks_is_seen(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    new = Revision(
        "ccc333",
        "bbb222",
        upgrade="op.execute('ALTER TABLE a ALTER id TYPE bigint')",
        downgrade="op.execute('ALTER TABLE a ALTER id TYPE int')",
    )
    ini = make_app(postgresql_url, [*LINE, new])
    before = left_over(postgresql_url)
    options = ["--step", "trace", "--since", "bbb222", "--markdown", str(tmp_path / "comment.md")]
    found = findings(ini, *options, status=10)
    assert found
    assert {each[:3] for each in found} == {("trace", "ccc333", 13)}
    written = (tmp_path / "comment.md").read_text()
    locked = "| ccc333 | 13 | a | ACCESS EXCLUSIVE | SELECT, INSERT/UPDATE/DELETE | "
    assert f"{locked}rewritten, scanned | not there yet |\n" in written
    assert "not known" not in written
    assert tables(postgresql_url) == set()
    assert invoke(ini, "upgrade", "bbb222").returncode == 0
    findings(ini, *options, status=10)
    assert re.search(
        re.escape(locked) + r"[a-z, ]+ \| \d+(\.\d+)? (bytes|kB)(, about 0 rows)? \|\n",
        (tmp_path / "comment.md").read_text(),
    )
    assert left_over(postgresql_url) == before


def make_one_more(ini: Path, revision: Revision) -> Path:
    from support.history import add_revision

    return add_revision(ini.parent / "migrations", revision)


def test_since_a_revision_needs_no_git(make_app: MakeApp, postgresql_url: str) -> None:
    ini = make_app(postgresql_url, LINE)
    result = invoke(ini, "verify", "--step", "lint", "--since", "aaa111", "--json")
    document = json.loads(result.stdout)
    assert (document["since"], document["new"]) == ("aaa111", ["bbb222"])


def test_without_git_nothing_is_linted_and_that_is_told(
    make_app: MakeApp, postgresql_url: str
) -> None:
    result = invoke(make_app(postgresql_url, LINE), "verify", "--step", "lint")
    assert result.returncode == 0
    assert (
        "lint       skipped it is not known which revisions are new: the revisions are in no git"
        " repository\n" in result.stderr
    )


def test_a_linter_that_is_missing_is_told_once(
    make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    ini = make_app(postgresql_url, LINE)
    result = invoke(ini, "verify", "--step", "lint", "--since", "base")
    assert result.returncode == 0
    assert result.stderr.count("no linter is installed: `pip install squawk-cli`") == 1


@pytest.mark.parametrize("repository", [True, False], ids=["git", "no git"])
def test_an_unknown_since_is_told(repository: bool, make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    if repository:
        git(ini.parent, "init")
    result = invoke(ini, "verify", "--since", "nowhere")
    assert result.returncode == 2
    why = "" if repository else ", and the revisions are in no git repository"
    assert (
        f"Error: `nowhere` is neither a revision nor a commit of git{why}.\n"
        "Hint:  `--since` takes the id of a revision, `base`, or a commit or branch of git.\n"
    ) in result.stderr


def test_a_shallow_clone_is_told(make_app: MakeApp, postgresql_url: str, tmp_path: Path) -> None:
    ini = make_app(postgresql_url, LINE)
    git(ini.parent, "init", "-b", "main")
    git(ini.parent, "add", "migrations", "app.ini")
    git(ini.parent, "commit", "-m", "first")
    git(ini.parent, "checkout", "-b", "change")
    git(ini.parent, "commit", "--allow-empty", "-m", "second")
    git(ini.parent, "checkout", "main")
    git(ini.parent, "commit", "--allow-empty", "-m", "third")
    clone = tmp_path / "clone"
    source = f"file://{ini.parent}"
    git(tmp_path, "clone", "--depth", "1", "--no-single-branch", "-b", "change", source, clone)
    moved = clone / "app.ini"
    moved.write_text(moved.read_text().replace(f"{ini.parent}/migrations", "%(here)s/migrations"))
    result = invoke(moved, "verify", "--step", "lint")
    assert "this clone is shallow, and doesn't reach back to where it left" in result.stderr


def make_branch(ini: Path, default: str) -> None:
    git(ini.parent, "init", "-b", default)
    git(ini.parent, "add", "migrations")
    git(ini.parent, "commit", "-m", "first")
    git(ini.parent, "checkout", "-b", "change")
    make_one_more(ini, Revision("ccc333", "bbb222", **create_table("c")))


@pytest.mark.parametrize("default", ["trunk", "deployed"])
def test_a_default_branch_without_a_remote_may_have_any_name_that_git_is_told(
    default: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, LINE)
    make_branch(ini, default)
    if default != "trunk":
        result = invoke(ini, "verify", "--step", "trace")
        assert "git knows no default branch here; name it with `--since`" in result.stderr
    git(ini.parent, "config", "init.defaultBranch", default)
    git(ini.parent, "checkout", "--detach")
    result = invoke(ini, "verify", "--step", "trace")
    assert re.search(rf"1 new revision since [0-9a-f]{{12}} \({default}\)  ", result.stderr)


def test_what_git_sets_in_a_hook_leads_nowhere_else(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = make_app(sqlite_url, LINE)
    make_branch(ini, "main")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    result = invoke(ini, "verify", "--step", "trace")
    assert "1 new revision since " in result.stderr


def test_a_clone_of_one_commit_is_told(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the CI service checks it out by default: its branch into which it goes is not there."""
    ini = make_app(sqlite_url, LINE)
    make_branch(ini, "main")
    git(ini.parent, "add", "migrations")
    git(ini.parent, "commit", "-m", "second")
    git(ini.parent, "clone", "--depth", "1", f"file://{ini.parent}", ini.parent / "clone")
    clone = ini.parent / "clone"
    git(clone, "remote", "set-head", "origin", "--delete")
    moved = clone / "app.ini"
    moved.write_text(ini.read_text().replace(f"{ini.parent}/migrations", "%(here)s/migrations"))
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    result = invoke(moved, "verify", "--step", "trace")
    assert "skipped it is not known which revisions are new: this clone is shallow" in result.stderr


def test_a_repository_of_another_owner_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    ini = make_app(sqlite_url, LINE)
    make_branch(ini, "main")
    os.chown(ini.parent / ".git", 1, 1)
    os.chown(ini.parent, 1, 1)
    result = invoke(ini, "verify", "--step", "trace")
    assert "git does not trust the owner of this repository (`safe.directory`)" in result.stderr


def test_with_a_scratch_url_the_configured_server_need_not_be_there(
    make_app: MakeApp, postgresql_server: str
) -> None:
    ini = make_app("postgresql://shop@127.0.0.1:9/shop", LINE)
    comment = ini.parent / "comment.md"
    change = Revision("ccc333", "bbb222", upgrade="op.add_column('a', sa.Column('x', sa.Integer))")
    make_one_more(ini, Revision(**{**vars(change), "downgrade": "op.drop_column('a', 'x')"}))
    words = ["--skip", "lint", "--since", "bbb222", "--markdown", str(comment)]
    result = invoke(ini, "verify", *words, "--scratch-url", postgresql_server)
    assert result.returncode == 0, result
    written = comment.read_text()
    assert "The sizes are not known: the database of the .ini file does not answer here." in written
    assert "| revision | line | object | lock | what waits | what is done |\n" in written


def test_a_role_that_may_only_read_is_enough_beside_a_scratch_url(
    make_app: MakeApp,
    postgresql_server: str,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change = Revision("ccc333", "bbb222", upgrade="op.add_column('a', sa.Column('x', sa.Integer))")
    new = Revision(**{**vars(change), "downgrade": "op.drop_column('a', 'x')"})
    monkeypatch.setenv("SHOP_URL", postgresql_url)
    ini = make_app("${SHOP_URL}", [*LINE, new])
    assert invoke(ini, "upgrade", "bbb222").returncode == 0
    with plain_user(postgresql_server, postgresql_url) as url:
        postgresql.execute(postgresql_url, "GRANT SELECT ON alembic_version TO public")
        monkeypatch.setenv("SHOP_URL", f"{url}&options=-cdefault_transaction_read_only%3Don")
        comment = ini.parent / "comment.md"
        words = ["--since", "bbb222", "--markdown", str(comment), "--skip", "lint"]
        result = invoke(ini, "verify", *words, "--scratch-url", postgresql_server)
    assert result.returncode == 0, result
    assert re.search(
        r"\| a \| ACCESS EXCLUSIVE \|.* (bytes|kB)(, about 0 rows)? \|\n", comment.read_text()
    )
    assert rows(postgresql_url, "SELECT version_num FROM alembic_version") == [("bbb222",)]


def test_a_database_of_sqlite_is_the_same_to_the_byte(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    assert invoke(ini, "upgrade", "aaa111").returncode == 0
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(path.parent))
    assert invoke(ini, "verify").returncode == 0
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(path.parent))) == before


def interrupted(running_ini: Path, start: Start, number: int, ready: Path) -> Result:
    running = start(running_ini, "verify", "--step", "stairway")
    until(ready.exists)
    running.signal(number)
    return running.finish()


def slow(ready: Path) -> Revision:
    code = f"open({str(ready)!r}, 'w').close()\nimport time\ntime.sleep(60)"
    return Revision("ccc333", "bbb222", upgrade=code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_database(
    number: int, make_app: MakeApp, database_url: str, tmp_path: Path, start: Start
) -> None:
    before = left_over(database_url)
    ini = make_app(database_url, [*LINE, slow(tmp_path / "ready")])
    result = interrupted(ini, start, number, tmp_path / "ready")
    assert result.returncode == 128 + number
    assert "Traceback" not in result.stderr
    assert left_over(database_url) == before


def test_what_a_killed_run_has_left_is_dropped_by_the_next(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, start: Start
) -> None:
    ini = make_app(sqlite_url, [*LINE, slow(tmp_path / "ready")])
    interrupted(ini, start, signal.SIGKILL, tmp_path / "ready")
    assert len(left_over(sqlite_url)) == 1
    (ini.parent / "migrations/versions/ccc333_.py").unlink()
    assert invoke(ini, "verify", "-q").returncode == 0
    assert left_over(sqlite_url) == set()


def test_a_report_for_junit_has_the_steps_and_the_findings(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    from junitparser import Failure, JUnitXml, Skipped

    bad = Revision("ccc333", "bbb222", upgrade="op.execute('SELECT 1')", message='<"\x07>')
    worse = replace(bad, id="ddd444", down_revision="ccc333")
    report = tmp_path / "report.xml"
    result = invoke(make_app(sqlite_url, [*LINE, bad, worse]), "verify", "--junit", str(report))
    assert result.returncode == 1
    (suite,) = JUnitXml.fromfile(str(report))
    assert [(each.name, each.classname) for each in suite] == [(name, name) for name in STEPS]
    cases = {each.name: each.result for each in suite}
    (failure,) = cases["downgrades"]
    assert isinstance(failure, Failure)
    assert "_.py:16: `downgrade()` does nothing" in failure.message
    assert failure.message.endswith(" (and 1 more)")
    assert failure.text.count("\n\n") == 1
    assert [each.time > 0 for each in suite if each.name == "downgrades"] == [True]
    assert isinstance(cases["lint"][0], Skipped)


def test_a_comment_for_a_pull_request_has_the_sql_folded_away(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = Revision("ccc333", "bbb222", message="a | `b` <script>", **create_table("c"))
    comment = tmp_path / "comment.md"
    ini = make_app(sqlite_url, [*LINE, odd])
    result = invoke(ini, "verify", "--since", "bbb222", "--markdown", str(comment))
    assert result.returncode == 0
    written = comment.read_text()
    assert "| stairway | passed | 3 revisions up, down and up |\n" in written
    assert "\nProven for 3 revisions: imports, heads" in written
    file = r"migrations/versions/ccc333\_.py"
    assert f"| ccc333 | a \\| \\`b\\` &lt;script&gt; | {file} |\n" in written
    assert "<summary>SQL of ccc333 (a | `b` &lt;script&gt;)</summary>" in written
    assert "<pre>CREATE TABLE c (\n\tid INTEGER NOT NULL, \n\tPRIMARY KEY (id)\n);</pre>" in written
    assert "<script" not in written
    assert sorted(path.name for path in tmp_path.glob("*comment*")) == ["comment.md"]


def test_the_sql_in_a_comment_is_the_revisions_alone(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    odd = Revision(
        "ccc333",
        "bbb222",
        upgrade="""
        from myapp.migrator.indexes import create_index_concurrently
        op.execute("SET LOCAL lock_timeout = '7s'")
        op.execute("ALTER TABLE a ADD CONSTRAINT c CHECK (id > 0) NOT VALID")
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE a VALIDATE CONSTRAINT c")
        create_index_concurrently("i", "a", ["id"])
        op.execute("SELECT 1")
        """,
    )
    ini = make_app(postgresql_url, [*LINE, odd])
    comment = tmp_path / "comment.md"
    words = ["--step", "upgrade", "--since", "bbb222", "--markdown", str(comment)]
    assert invoke(ini, "verify", *words).returncode == 0
    sql = comment.read_text().partition("<pre>")[2].partition("</pre>")[0]
    assert sql.splitlines() == [
        "SET LOCAL lock_timeout = '7s';",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (id &gt; 0) NOT VALID;",
        "ALTER TABLE a VALIDATE CONSTRAINT c;",
        "CREATE INDEX CONCURRENTLY i ON a (id);",
        "SELECT 1;",
    ]


def test_findings_are_shown_at_their_lines_on_github(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    left = Revision("ccc333", "bbb222", upgrade="op.create_index('i%,:', 'a', ['id'])")
    ini = make_app(sqlite_url, [*LINE, left])
    result = invoke(ini, "verify", "-q", "--step", "stairway", "--json")
    assert result.stderr == (
        "::error file=migrations/versions/ccc333_.py,line=16,title=stairway::After `downgrade()`"
        ' the schema is another one than before `upgrade()`:%0A+ index "i%25,:" is left over\n'
    )
    json.loads(result.stdout)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "migrations")
    below = invoke(ini, "verify", "-q", "--step", "stairway").stderr
    assert below.startswith("::error file=migrations/versions/ccc333_.py,line=16,")


def test_an_odd_name_is_text_in_every_report(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from junitparser import JUnitXml

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    name = "x|`y`</details><script>]]>&\n::error::%0A"
    odd = Revision(
        "ccc333", "bbb222", message="m", upgrade=f"op.create_index({name!r}, 'a', ['id'])"
    )
    report, comment = tmp_path / "report.xml", tmp_path / "comment.md"
    words = ["--step", "stairway", "--step", "upgrade", "--since", "bbb222"]
    ini = make_app(sqlite_url, [*LINE, odd])
    files = ["--junit", str(report), "--markdown", str(comment)]
    result = invoke(ini, "verify", *words, *files, "-q")
    assert result.returncode == 1
    (annotation,) = result.stderr.splitlines()
    assert annotation.endswith('%0A::error::%250A" is left over')
    (failure,) = [
        each.result[0] for each in next(iter(JUnitXml.fromfile(str(report)))) if each.result
    ]
    assert f'+ index "{name}" is left over' in failure.message
    written = comment.read_text()
    assert r"x\|\`y\`&lt;/details&gt;&lt;script&gt;\]\]&gt;&amp;<br>\:\:error\:\:%0A" in written
    assert written.count("</details>") == written.count("<details>") == 1
    assert "<script" not in written


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    option: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "file"
    result = invoke(make_app(sqlite_url, LINE), "verify", option, str(path))
    assert (result.returncode, result.stderr) == (
        2,
        f"Error: {path} can't be written: No such file or directory.\n"
        "Hint:  name a file in a folder that is there, and that this user may write to.\n",
    )


def test_a_missing_library_for_junit_is_named(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "junitparser", None)
    result = invoke(make_app(sqlite_url, LINE), "verify", "--junit", "report.xml")
    assert (result.returncode, result.stderr) == (
        2,
        "Error: `--junit` needs the library junitparser, which is not installed.\n"
        "Hint:  run `pip install junitparser`.\n",
    )


def test_no_secret_of_the_settings_is_in_what_is_written(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    """A revision may send, and an error may quote, what the .ini file holds."""
    bad = Revision("ccc333", "bbb222", upgrade=f"raise ValueError({postgresql.PASSWORD!r})")
    ini = make_app(postgresql_url, [*LINE, bad])
    comment = tmp_path / "comment.md"
    result = invoke(ini, "verify", "--markdown", str(comment))
    assert result.returncode == 1
    assert "ValueError: ***" in result.stdout
    assert postgresql.PASSWORD not in result.stdout + result.stderr + comment.read_text()


def test_no_secret_is_in_a_safe_way_or_in_why_something_is_allowed(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    check = f"op.create_check_constraint('c', 'a', \"'{postgresql.PASSWORD}' <> ''\")"
    ini = make_app(postgresql_url, [*LINE, Revision("ccc333", "bbb222", upgrade=check)])
    comment = tmp_path / "comment.md"
    words = ["--step", "trace", "--since", "bbb222", "--markdown", str(comment)]
    dangerous = invoke(ini, "verify", *words)
    assert "op.create_check_constraint(" in dangerous.stdout
    marked(ini, "ccc333", f"allow check-validated-at-once because {postgresql.PASSWORD} is short")
    allowed = invoke(ini, "verify", *words)
    assert (dangerous.returncode, allowed.returncode) == (10, 0)
    assert "allowed because *** is short" in allowed.stdout
    assert postgresql.PASSWORD not in dangerous.stdout + allowed.stdout + comment.read_text()


def test_a_table_that_gets_another_name_keeps_its_size(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    renaming = Revision("ccc333", "bbb222", upgrade="op.rename_table('a', 'x')")
    adding = Revision("ddd444", "ccc333", upgrade="op.add_column('x', sa.Column('n', sa.Integer))")
    ini = make_app(postgresql_url, [*LINE, renaming, adding])
    assert invoke(ini, "upgrade", "bbb222").returncode == 0
    comment = tmp_path / "comment.md"
    words = ["--step", "trace", "--since", "bbb222", "--markdown", str(comment)]
    assert invoke(ini, "verify", *words).returncode == 10
    assert "| x | ACCESS EXCLUSIVE |" in comment.read_text()
    assert "not there yet" not in comment.read_text()


def test_what_is_the_same_in_each_schema_is_told_once(
    make_app: MakeApp, postgresql_url: str
) -> None:
    made = "connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS \"{tenant}\"'))"
    env = schemas_env(postgresql_url, ["one", "two"])
    env = env.replace("connection.execute(", f"{made}\n        connection.execute(", 1)
    new = Revision("ccc333", "bbb222", upgrade="op.drop_column('a', 'id')")
    ini = make_app(postgresql_url, [*LINE, new])
    (ini.parent / "migrations" / "env.py").write_text(env)
    found = findings(ini, "--step", "trace", "--since", "bbb222", status=10)
    assert [each[:3] for each in found] == [("trace", "ccc333", 13)]
