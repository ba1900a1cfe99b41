"""An env.py that goes away while a run goes on, and one that says where the revision files are."""

import json
import py_compile
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from support.command import invoke, run
from support.database import heads, name_of
from support.history import MakeApp, Revision, add_revision, create_table
from support.processes import write_env

#: A foreign env.py that has the database's URL from the .ini file each time.
READS_THE_INI = """
from configparser import ConfigParser
from pathlib import Path
from alembic import context
from sqlalchemy import create_engine
ini = ConfigParser(interpolation=None)
ini.read_string(Path(context.config.config_file_name).read_text())
engine = create_engine(ini["app:main"]["sqlalchemy.url"])
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def removing(*paths: Path) -> str:
    """Return a revision's body that removes files and folders."""
    return "import os, shutil\n" + "".join(
        f"shutil.rmtree({str(path)!r}) if os.path.isdir({str(path)!r}) else"
        f" os.remove({str(path)!r})\n"
        for path in paths
    )


@pytest.mark.parametrize("what", ["migrations/env.py", "migrations", "app.ini"])
def test_what_is_removed_while_a_revision_runs_is_not_needed_any_more(
    what: str, make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    ini = make_app(
        database_url,
        [
            Revision("a1", upgrade=removing(tmp_path / what)),
            Revision("b2", "a1", **create_table("t")),
        ],
    )
    result = run(ini, "upgrade")
    assert (result.returncode, result.stdout) == (
        0,
        "Upgraded 2 revisions in " + result.stdout.partition(" in ")[2],
    )
    assert result.stdout.endswith(" is at b2 (a change).\n")
    assert heads(database_url) == {"b2"}


def test_a_working_directory_that_is_removed_meanwhile_is_not_needed(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    ini = make_app(database_url, [Revision("a1", upgrade=removing(folder))])
    result = run(ini, "upgrade", cwd=folder)
    assert (result.returncode, result.stderr.count("Error")) == (0, 0), result.stderr


def test_what_env_py_reads_is_not_needed_any_more_when_all_has_run(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(
        sqlite_url, [Revision("a1"), Revision("b2", "a1", upgrade=removing(tmp_path / "app.ini"))]
    )
    (tmp_path / "migrations" / "env.py").write_text(READS_THE_INI)
    result = invoke("--json", ini, "upgrade")
    assert (result.returncode, json.loads(result.stdout)["after"]) == (0, ["b2"])
    assert heads(sqlite_url) == {"b2"}


def test_where_env_py_fails_after_a_revision_did_it_is_not_said_that_none_ran(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    failing = removing(tmp_path / "app.ini") + "raise RuntimeError('no')"
    ini = make_app(sqlite_url, [Revision("a1"), Revision("b2", "a1", upgrade=failing)])
    (tmp_path / "migrations" / "env.py").write_text(READS_THE_INI)
    result = invoke(ini, "upgrade")
    assert "before any migration ran" not in result.stderr
    assert "Where the database stands can't be told: " in result.stderr


def test_an_env_py_that_fails_at_first_is_told_as_before(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, [Revision("a1")])
    (tmp_path / "migrations" / "env.py").write_text("1 / 0\n")
    result = invoke(ini, "upgrade")
    assert "env.py (line 1) failed before any migration ran: ZeroDivisionError" in result.stderr


def test_one_config_sees_an_env_py_that_is_written_anew(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    """It is kept for a command, not for longer."""
    ini = make_app(sqlite_url, [Revision("a1")])
    code = f"""
        from pathlib import Path
        from myapp.migrator.commands import migration
        from myapp.migrator.config import run_context
        config = run_context({str(ini)!r})
        migration.upgrade(config)
        env_py = Path({str(tmp_path / "migrations" / "env.py")!r})
        env_py.write_text("print('anew')\\n" + env_py.read_text())
        migration.downgrade(config, "base")
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, check=True, text=True
    )
    assert "anew" in done.stdout


FOREIGN = """
import os
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
folder = os.path.join(os.path.dirname(__file__), "versions", engine.dialect.name)
{}
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True, target_metadata={})
    with context.begin_transaction():
        context.run_migrations()
"""

#: How an env.py may say it; Alembic follows the first three within one command.
SAYINGS = {
    "assigned": "context.script.version_locations = [folder]",
    "added": "context.script.version_locations.append(folder)",
    "relative": "context.script.version_locations = [os.path.relpath(folder)]",
    "option": "context.config.set_main_option('version_locations', folder)",
    "added option": "context.config.set_main_option('version_locations',"
    " (context.config.get_main_option('version_locations', '') + ' ' + folder).strip())",
}


@pytest.fixture(params=SAYINGS)
def ini(
    request: pytest.FixtureRequest, make_app: MakeApp, database_url: str, tmp_path: Path
) -> Path:
    """An application whose env.py names the folder of the revisions of its kind of database."""
    ini = make_app(database_url)
    migrations = tmp_path / "migrations"
    metadata = "__import__('sqlalchemy').MetaData()"
    (migrations / "env.py").write_text(FOREIGN.format(SAYINGS[request.param], metadata))
    kind = database_url.partition(":")[0].partition("+")[0]
    place = tmp_path / "place"
    (place / "versions").mkdir(parents=True)
    add_revision(place, Revision("a1", message="one"))
    add_revision(place, Revision("b2", "a1", message="two"))
    (place / "versions").rename(migrations / "versions" / kind)
    return ini


def test_the_files_that_count_are_those_that_env_py_names(ini: Path, database_url: str) -> None:
    def told(*command: str) -> tuple[int, str]:
        result = invoke(ini, *command)
        return result.returncode, result.stdout or result.stderr

    status, text = told("current", "--check-heads")
    assert (status, text.splitlines()[0]) == (
        3,
        "Error: 2 revisions pending: the database stands at base (no revision).",
    )
    assert told("wait", "--timeout", "0")[0] == 3
    status, text = told("upgrade", "+1")
    assert (status, text.partition(" in ")[0]) == (0, "Upgraded 1 revision")
    assert told("current") == (0, "a1, one\n")
    status, text = told("upgrade")
    assert (status, text.partition(" in ")[0]) == (0, "Upgraded 1 revision")
    assert told("upgrade") == (0, f"Nothing to do: {name_of(database_url)} is at b2 (two).\n")
    assert told("current", "--check-heads") == (0, "b2 (head), two\n")
    assert told("wait", "--timeout", "0") == (0, "b2 (head), two\n")
    assert told("heads") == (0, "b2 (head), two\n")
    assert told("history") == (
        0,
        "current a1 -> b2 (head), two\napplied <base> -> a1, one\n",
    )
    assert told("show", "a1")[0] == 0
    assert told("check") == (0, "Models and database agree.\n")
    assert told("downgrade", "-1")[0] == 0
    assert told("stamp", "b2") == (
        0,
        f"Stamped {name_of(database_url)} from a1 (one) to b2 (two).\n",
    )
    assert heads(database_url) == {"b2"}


def test_a_revision_is_written_where_env_py_says(ini: Path, tmp_path: Path) -> None:
    assert invoke(ini, "upgrade").returncode == 0
    with open(ini, "a") as file:
        file.write("\nalembic.revision_environment = true\n")
    result = invoke(ini, "revision", "-m", "three", "--rev-id", "c3")
    assert result.returncode == 0, result.stderr
    written = Path(result.stdout.removeprefix("Wrote ").strip())
    assert written.parent.parent == tmp_path / "migrations" / "versions"
    assert 'down_revision: str | Sequence[str] | None = "b2"' in written.read_text()


@pytest.mark.parametrize("where", ["__pycache__/env.{tag}.pyc", "env.pyc"])
@pytest.mark.parametrize("names_folders", [False, True])
def test_an_env_py_may_be_there_as_bytecode_alone(
    where: str, names_folders: bool, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = make_app(sqlite_url, [Revision("a1", **create_table("t"))])
    folder = tmp_path / "migrations"
    env_py = folder / "env.py"
    if names_folders:
        (folder / "versions").rename(folder / "others")
        line = "from alembic import context\ncontext.script.version_locations = [{!r}]\n"
        env_py.write_text(line.format(str(folder / "others")) + env_py.read_text())
    compiled = folder / where.format(tag=sys.implementation.cache_tag)
    py_compile.compile(str(env_py), cfile=str(compiled))
    env_py.unlink()
    assert invoke(ini, "heads").stdout == "a1 (head), a change\n"
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "current").stdout == "a1 (head), a change\n"
    assert heads(sqlite_url) == {"a1"}


ASKING = """
import sys
from alembic import context
from myapp.migrator.environment import run_migrations
print(
    "asked:",
    context.get_starting_revision_argument(),
    context.get_revision_argument(),
    context.get_tag_argument(),
    file=sys.stderr,
)
run_migrations()
"""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("upgrade head --tag t", "asked: None b2 t"),
        ("upgrade --tag t", "asked: None ('b2',) t"),
        ("downgrade base --tag t", "asked: None None t"),
        ("stamp b2 --tag t", "asked: None b2 t"),
        ("upgrade base:head --sql --tag t", "asked: None b2 t"),
        ("upgrade a111:head --sql", "asked: a111 b2 None"),
        ("downgrade b2:a1111 --sql", "asked: b2 a1111 None"),
        ("stamp a1111:b2 --sql", "asked: a1111 b2 None"),
    ],
)
def test_an_env_py_is_told_what_was_typed_whenever_it_runs(
    typed: str, told: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, [Revision("a1111"), Revision("b2", "a1111")])
    write_env(ini, ASKING)
    result = invoke(ini, *typed.split())
    assert result.returncode == 0, result.stderr
    asked = [line for line in result.stderr.splitlines() if line.startswith("asked:")]
    assert set(asked) == {told}
