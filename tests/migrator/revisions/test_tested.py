"""With an Alembic that is newer than what is tested, Alembic itself is asked."""

import subprocess
import sys

import alembic
import pytest
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from support.command import invoke
from support.database import heads
from support.history import MakeApp, Revision, create_table

from myapp.migrator.base.ask_alembic import AskAlembic
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.commands.quick import QuickSource
from myapp.migrator.config import run_context
from myapp.migrator.revisions import resolution, tested
from myapp.migrator.revisions.tested import NEWEST_TESTED, untested_alembic
from myapp.migrator.settings.settings import load_settings

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
    Revision("ccc333", "bbb222", **create_table("c")),
]
TOLD = f"Warning: Alembic {alembic.__version__} is newer than 1.0, the last that this command was"


@pytest.fixture
def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the installed Alembic be newer than what is tested."""
    monkeypatch.setattr(tested, "NEWEST_TESTED", (1, 0))


def test_the_installed_alembic_is_tested() -> None:
    """Where this fails: run all tests with the new Alembic, then set NEWEST_TESTED to it."""
    major, minor, *_ = map(int, alembic.__version__.split(".")[:2])
    assert (major, minor) <= NEWEST_TESTED
    assert untested_alembic() is None


def test_a_version_that_cant_be_told_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "_installed", lambda: None)
    assert "Alembic of an unknown version is newer than" in str(untested_alembic())


def test_the_version_is_found_without_importing_anything_for_it() -> None:
    code = (
        "import sys; from myapp.migrator.revisions.tested import untested_alembic\n"
        "assert untested_alembic() is None\n"
        "print({'alembic', 'importlib.metadata'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"


@pytest.mark.usefixtures("untested")
def test_there_is_no_quick_answer(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    with pytest.raises(AskAlembic, match="is newer than"):
        QuickSource(load_settings(str(ini)))


@pytest.mark.usefixtures("untested")
def test_alembic_loads_the_files_and_is_asked_what_a_target_means(
    make_app: MakeApp, sqlite_url: str
) -> None:
    history = load_history(run_context(make_app(sqlite_url, LINE)))
    for ask in (
        lambda graph: resolution.resolve(graph, "heads"),
        lambda graph: resolution.upgrade_plan(graph, "heads", ()),
        lambda graph: resolution.downgrade_plan(graph, "base", ("ccc333",)),
        lambda graph: resolution.revisions_between(graph, "base", "heads"),
    ):
        with pytest.raises(AskAlembic):
            ask(history.graph)


@pytest.mark.usefixtures("untested")
def test_the_answers_are_the_same_and_only_verbose_tells_of_it(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = make_app(database_url, LINE)
    asked: list[str] = []
    iterate = ScriptDirectory.iterate_revisions

    def iterate_revisions(self: ScriptDirectory, *args: object, **options: object) -> object:
        asked.append("iterate")
        return iterate(self, *args, **options)

    monkeypatch.setattr(ScriptDirectory, "iterate_revisions", iterate_revisions)
    result = invoke(ini, "upgrade", "+2", "-v")
    assert (result.returncode, heads(database_url)) == (0, {"bbb222"})
    assert TOLD in result.stderr
    assert asked
    for command, said in (
        (["current"], "bbb222"),
        (["show", "ccc333"], "ccc333"),
        (["history", "-r", "aaa111:bbb222"], "bbb222"),
        (["downgrade", "-1"], "aaa111"),
        (["upgrade"], "ccc333"),
    ):
        result = invoke(ini, *command)
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
        assert "newer" not in result.stderr
    assert heads(database_url) == {"ccc333"}


@pytest.mark.usefixtures("untested")
def test_alembics_own_statement_moves_the_row(make_app: MakeApp, sqlite_url: str) -> None:
    """Its SQL has the ids written into it, as ours has."""
    result = invoke(make_app(sqlite_url, LINE), "upgrade", "-v")
    assert "UPDATE alembic_version SET version_num='bbb222'" in result.stderr
    assert heads(sqlite_url) == {"ccc333"}


def test_the_rules_of_this_room_are_those_of_the_public_api() -> None:
    """These are what is asked where ours are not."""
    for name in ("get_revisions", "iterate_revisions", "walk_revisions", "get_heads"):
        assert callable(getattr(ScriptDirectory, name))
    assert callable(MigrationContext.get_current_heads)
