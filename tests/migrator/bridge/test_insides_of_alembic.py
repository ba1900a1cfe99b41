"""What this room takes from Alembic beyond its documentation, compared with Alembic itself."""

import inspect
import re
import warnings
from contextlib import suppress
from pathlib import Path
from types import MethodType
from typing import Any

import alembic.command
import pytest
from alembic.autogenerate import RevisionContext
from alembic.config import CommandLine
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory, write_hooks
from alembic.script.revision import MultipleHeads, RangeNotAncestorError, RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import create_engine
from sqlalchemy.engine.mock import MockConnection
from support.history import MakeApp, Revision

from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.bridge.lazy_scripts import LazyScript
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.bridge.planned_step import PlannedStep
from myapp.migrator.config import alembic_config, run_context
from myapp.migrator.settings.alembic_options import OPTIONS
from myapp.migrator.settings.settings import load_settings

LINE = [Revision("aaa111"), Revision("bbb222", "aaa111", branch_labels="b", depends_on="aaa111")]


def directory(ini: Path) -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(ini))


def properties(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


# Classes that are subclassed


def test_a_lazy_script_says_all_that_alembics_says(make_app: MakeApp, sqlite_url: str) -> None:
    ini = make_app(sqlite_url, LINE)
    history = load_history(run_context(ini))
    history.script.get_heads()  # only then, labels are handed down a branch
    for theirs in directory(ini).walk_revisions():
        ours = history.script_of(theirs.revision)
        assert isinstance(ours, LazyScript)
        names = properties(Script) | {n for n in vars(theirs) if not n.startswith("_")}
        names -= {"module", "verbose", "nextrev", "add_nextrev", "down_revision"}
        for name in sorted(names):
            value = getattr(theirs, name)
            if not callable(value):
                assert (name, getattr(ours, name)) == (name, value)
        assert ours.module.revision == theirs.module.revision


def test_a_planned_step_has_all_that_alembics_step_has() -> None:
    """Alembic's HeadMaintainer calls these; one that is new would be missed."""
    ours = properties(PlannedStep) | set(PlannedStep.__init__.__code__.co_names)
    own_business = {"from_revisions", "to_revisions", "revision_map"}
    assert properties(RevisionStep) - ours - own_business == set()
    for name in properties(MigrationStep) & properties(PlannedStep):
        assert callable(getattr(MigrationStep, name)) == callable(getattr(PlannedStep, name))


@pytest.mark.parametrize(
    "name",
    [
        "should_delete_branch",
        "should_create_branch",
        "should_merge_branches",
        "should_unmerge_branches",
        "update_version_num",
        "merge_branch_idents",
        "unmerge_branch_idents",
    ],
)
def test_a_question_to_a_step_has_alembics_parameters(name: str) -> None:
    assert parameters(getattr(PlannedStep, name)) == parameters(getattr(RevisionStep, name))


# What is replaced, or called with what Alembic's own commands give


def test_env_pys_run_migrations_is_that_of_the_object(make_app: MakeApp, sqlite_url: str) -> None:
    """What is set on the object takes its place; `alembic.context` asks the object each time."""
    config = alembic_config(make_app(sqlite_url, LINE))
    script = ScriptDirectory.from_config(config)
    called: list[object] = []
    context = EnvironmentContext(config, script, fn=lambda rev, context: [])
    assert isinstance(context.run_migrations, MethodType)
    context.run_migrations = lambda **kw: called.append(kw)  # type: ignore[method-assign]
    with context:
        from alembic import context as proxy

        proxy.run_migrations()
    assert called == [{}]


def test_the_fields_of_a_script_directory_make_another_one(
    make_app: MakeApp, sqlite_url: str
) -> None:
    """All parameters are handed on when env.py has named other folders."""
    script = directory(make_app(sqlite_url, LINE))
    given = parameters(ScriptDirectory)
    assert given == [
        "dir",
        "file_template",
        "truncate_slug_length",
        "version_locations",
        "sourceless",
        "output_encoding",
        "timezone",
        "hooks",
        "recursive_version_locations",
        "messaging_opts",
    ]
    assert all(hasattr(script, name) for name in given)


def test_a_command_is_where_alembics_parser_leaves_it(make_app: MakeApp, sqlite_url: str) -> None:
    settings = load_settings(str(make_app(sqlite_url)))
    ours = vars(build_context(settings, command="current").config.cmd_opts)
    theirs = vars(CommandLine().parser.parse_args(["current"]))
    function, positional, keywords = theirs["cmd"]
    assert function is alembic.command.current
    assert ours["cmd"][0] is function
    assert (type(positional), type(keywords)) == (list, list)
    assert theirs.keys() - ours.keys() <= {"check_heads", "verbose"}


def test_a_revision_is_made_from_the_arguments_that_alembics_commands_give() -> None:
    names = parameters(alembic.command.revision)
    assert set(names) - {"config", "process_revision_directives"} == {
        "message",
        "autogenerate",
        "sql",
        "head",
        "splice",
        "branch_label",
        "version_path",
        "rev_id",
        "depends_on",
    }
    assert parameters(RevisionContext)[:3] == ["config", "script_directory", "command_args"]
    for name in ("run_autogenerate", "run_no_autogenerate", "generate_scripts"):
        assert callable(getattr(RevisionContext, name))


def test_alembic_registers_three_hooks_under_these_names() -> None:
    assert write_hooks._registry.keys() >= {"exec", "module", "console_scripts"}
    for hook in (write_hooks.exec_, write_hooks.module, write_hooks.console_scripts):
        assert parameters(hook)[:2] == ["path", "options"]


def test_what_the_ini_file_may_set_is_a_parameter_of_configure() -> None:
    # These three are documented, and stand for what comes in by `**kw`.
    table = {"version_table", "version_table_schema", "version_table_pk"}
    known = table | set(parameters(EnvironmentContext.configure))
    configured = {name for name, option in OPTIONS.items() if option.is_configured}
    assert known >= configured | {"transaction_per_migration", "target_metadata"}
    context = MigrationContext.configure(
        dialect_name="sqlite", opts={"version_table": "a", "version_table_schema": "b"}
    )
    assert (context.version_table, context.version_table_schema) == ("a", "b")


def test_a_migration_context_has_what_a_run_looks_at() -> None:
    context = MigrationContext.configure(dialect_name="sqlite", opts={"target_metadata": None})
    assert isinstance(context.on_version_apply_callbacks, tuple)
    assert isinstance(context.impl.transactional_ddl, bool)
    assert context.opts["target_metadata"] is None
    assert (context.version_table, context.version_table_schema) == ("alembic_version", None)


def test_the_version_table_has_one_column_and_nothing_else() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        MigrationContext.configure(connection).stamp(ScriptDirectory("."), "base")
        columns = connection.exec_driver_sql("PRAGMA table_info(alembic_version)").fetchall()
    assert [name for _, name, *_ in columns] == ["version_num"]


# What is read out of messages and errors


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ([Revision("aaa111"), Revision("bbb222", "gone")], "Revision gone referenced from .* is "),
        ([Revision("aaa111"), Revision("aaa111x")], "Revision aaa111 is present more than once"),
    ],
)
def test_alembic_only_warns_of_these_and_is_made_to_fail(
    make_app: MakeApp, sqlite_url: str, revisions: list[Revision], said: str
) -> None:
    ini = make_app(sqlite_url, revisions)
    double = ini.parent / "migrations" / "versions" / "aaa111x_.py"
    if double.exists():
        double.write_text(double.read_text().replace("'aaa111x'", "'aaa111'"))
    with warnings.catch_warnings(record=True) as warned, suppress(KeyError):
        warnings.simplefilter("always")
        directory(ini).get_heads()
    assert any(re.match(said, str(each.message)) for each in warned)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", r"Revision .* is (not )?present", UserWarning)
        with pytest.raises(UserWarning, match=said):
            directory(ini).get_heads()


def test_a_walk_with_several_ways_is_called_ambiguous(make_app: MakeApp, sqlite_url: str) -> None:
    branches = [Revision("aaa111"), Revision("bbb222", "aaa111"), Revision("ccc333", "aaa111")]
    script = directory(make_app(sqlite_url, branches))
    with pytest.raises((CommandError, RevisionError), match="mbiguous"):
        list(script.iterate_revisions("aaa111+1", "aaa111"))


def test_alembics_errors_carry_what_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    script = directory(make_app(sqlite_url, [Revision("aaa111"), Revision("bbb222")]))
    with pytest.raises(CommandError) as raised:
        script.get_revisions("head")
    assert isinstance(raised.value.__cause__, MultipleHeads)
    assert set(raised.value.__cause__.heads) == {"aaa111", "bbb222"}
    with pytest.raises(RangeNotAncestorError) as not_reached:
        list(script.iterate_revisions("aaa111", "bbb222"))
    assert (not_reached.value.lower, not_reached.value.upper) == ("bbb222", "aaa111")


def test_an_offline_context_has_a_mock_connection() -> None:
    context = MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True})
    assert type(context.connection) is type(context.impl.connection) is MockConnection
    assert context.bind is context.connection


def test_a_comparison_without_models_names_the_metadata(make_app: MakeApp, sqlite_url: str) -> None:
    config = alembic_config(make_app(sqlite_url))
    with pytest.raises(CommandError, match="MetaData"):
        alembic.command.check(config)
