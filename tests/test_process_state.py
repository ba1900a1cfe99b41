"""Who calls a command from Python finds the process as it was when the command has ended."""

import gc
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import alembic.command
import psycopg2
import pytest
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError
from support.command import invoke
from support.history import MakeApp, Revision, create_table
from support.process_state import process_state

from myapp.migrator.base.errors import MigrateError, MigrationFailed, SettingsError
from myapp.migrator.bridge.context import RunContext
from myapp.migrator.commands import (
    authoring,
    comparison,
    drift,
    editing,
    migration,
    offline,
    planning,
    repair,
    reports,
    scaffold,
    scratch,
    stamping,
    status_report,
    verification,
    waiting,
)
from myapp.migrator.commands.alembic_source import AlembicSource
from myapp.migrator.config import alembic_config, run_context
from myapp.migrator.run.other_connections import Others

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
    Revision("ccc333", "bbb222", upgrade="op.execute('SELECT * FROM nowhere')"),
]
HOOK = "[post_write_hooks]\nhooks = mine\nmine.type = exec\nmine.executable = "

Call = Callable[[Config], object]

OURS: dict[str, Callable[[RunContext], object]] = {
    "upgrade": lambda context: migration.upgrade(context, "bbb222"),
    "upgrade that fails": lambda context: migration.upgrade(context),
    "upgrade of nothing": lambda context: migration.upgrade(context, "aaa111"),
    "downgrade": lambda context: migration.downgrade(context, "base"),
    "current": lambda context: reports.current(AlembicSource(context)),
    "history": lambda context: reports.history(AlembicSource(context)),
    "heads": lambda context: reports.heads(AlembicSource(context)),
    "branches": lambda context: reports.branches(AlembicSource(context)),
    "show": lambda context: reports.show(AlembicSource(context), "current"),
    "stamp": lambda context: stamping.stamp(context, ["bbb222"]),
    "ensure_version": stamping.ensure_version,
    "repair": lambda context: repair.repair(context, lambda planned: True),
    "check": comparison.check,
    "status": status_report.status_report,
    "wait": lambda context: waiting.wait(context, 0.1),
    "upgrade --sql": lambda context: offline.upgrade_sql(context, "bbb222"),
    "downgrade --sql": lambda context: offline.downgrade_sql(context, "bbb222:base"),
    "stamp --sql": lambda context: offline.stamp_sql(context, ["bbb222"]),
    "ensure_version --sql": offline.ensure_version_sql,
    "revision": lambda context: authoring.revision(context, "new"),
    "merge": lambda context: authoring.merge(context, ["heads"]),
    "edit": lambda context: editing.edit(context, "aaa111"),
    "drift": drift.drift,
    "plan": planning.plan,
    "scratch": lambda context: _in_scratch(context),
    "verify": lambda context: verification.verify(context, skip=["stairway"]),
    "init": lambda context: scaffold.init(context, f"{context.settings.path}.new"),
}


def _in_scratch(context: RunContext) -> None:
    with scratch.scratch(context, is_fresh=True):
        pass


#: Alembic's commands with our Config and our env.py.
ALEMBICS: dict[str, Call] = {
    "upgrade": lambda config: alembic.command.upgrade(config, "bbb222"),
    "upgrade that fails": lambda config: alembic.command.upgrade(config, "heads"),
    "downgrade": lambda config: alembic.command.downgrade(config, "base"),
    "current": alembic.command.current,
    "stamp": lambda config: alembic.command.stamp(config, "bbb222"),
    "check": alembic.command.check,
    "upgrade --sql": lambda config: alembic.command.upgrade(config, "bbb222", sql=True),
    "revision": lambda config: alembic.command.revision(config, "new"),
}
COMMANDS = [
    ["upgrade", "bbb222"],
    ["upgrade", "-v"],
    ["downgrade", "base", "-q"],
    ["current"],
    ["history", "--json"],
    ["heads"],
    ["branches"],
    ["show", "current"],
    ["stamp", "bbb222"],
    ["ensure-version"],
    ["repair", "--yes"],
    ["check"],
    ["status"],
    ["wait", "--timeout", "0.1"],
    ["upgrade", "--sql"],
    ["revision", "-m", "new"],
    ["merge", "heads"],
    ["edit", "aaa111"],
    ["drift"],
    ["plan"],
    ["scratch", "--fresh", "--", "true"],
    ["verify", "--step", "models"],
    ["list-templates"],
    ["nonsense"],
]


@pytest.fixture(autouse=True, scope="module")
def _what_is_there_is_no_garbage() -> None:
    """Let the collector, which these tests call twice each, pass over what earlier tests left."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application whose database is at its first revision, of three."""
    monkeypatch.setenv("EDITOR", "true")
    return at_the_first_revision(make_app(sqlite_url, LINE))


def at_the_first_revision(ini: Path) -> Path:
    migration.upgrade(run_context(ini), "aaa111")
    return ini


def call_and_compare(call: Callable[[], object]) -> None:
    before, frozen = process_state(), gc.get_freeze_count()
    with suppress(MigrateError, CommandError, DBAPIError):  # what fails undoes it too
        call()
    after = process_state()
    assert gc.get_freeze_count() <= frozen  # some of what was frozen may be gone
    assert {key: value for key, value in after.items() if value != before[key]} == {}


@pytest.mark.parametrize("name", OURS)
def test_a_function_of_ours_undoes_what_it_has_changed(ini: Path, name: str) -> None:
    context = run_context(ini)
    call_and_compare(lambda: OURS[name](context))


@pytest.mark.parametrize("name", ["upgrade", "upgrade that fails", "stamp", "check"])
def test_a_function_that_has_worked_on_postgresql_undoes_it_too(
    make_app: MakeApp, postgresql_url: str, name: str
) -> None:
    context = run_context(at_the_first_revision(make_app(postgresql_url, LINE)))
    call_and_compare(lambda: OURS[name](context))


@pytest.mark.parametrize("name", ALEMBICS)
def test_a_command_of_alembics_leaves_nothing_of_ours(
    ini: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = alembic_config(ini)
    call_and_compare(lambda: ALEMBICS[name](config))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_line_that_is_run_in_this_process_undoes_what_it_has_changed(
    ini: Path, command: list[str]
) -> None:
    call_and_compare(lambda: invoke(ini, *command))


def test_logging_sections_of_the_ini_file_are_undone_too(
    make_app: MakeApp, sqlite_url: str
) -> None:
    sections = (
        "[loggers]\nkeys = root, one\n[handlers]\nkeys = h\n[formatters]\nkeys =\n"
        "[logger_root]\nlevel = DEBUG\nhandlers = h\n"
        "[logger_one]\nlevel = ERROR\nqualname = one\nhandlers = h\npropagate = 0\n"
        "[handler_h]\nclass = StreamHandler\nargs = (sys.stderr,)\n"
    )
    logging.getLogger("one")
    ini = make_app(sqlite_url, LINE, extra=sections)
    call_and_compare(lambda: invoke(ini, "upgrade", "bbb222"))


def test_alembics_hooks_are_alembics_again_when_ours_has_failed(
    make_app: MakeApp, sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Alembic drops the exit status of a hook; a command of ours tells it."""
    context = run_context(make_app(sqlite_url, extra=f"{HOOK}false\n"))
    with pytest.raises(SettingsError, match="exit status 1"):
        authoring.revision(context, "First", rev_id="aaa111")
    alembic.command.revision(context.config, "Second", rev_id="bbb222")


def test_the_audit_hook_that_stays_hears_nothing_between_two_runs(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    with pytest.raises(MigrationFailed):
        migration.upgrade(config)
    heard: list[Any] = []
    monkeypatch.setattr(Others, "heard", lambda *args: heard.append(args))
    sqlite3.connect(":memory:").close()
    assert heard == []


def test_connect_is_the_drivers_own_again(ini: Path) -> None:
    connect = psycopg2.connect
    migration.upgrade(run_context(ini), "bbb222")
    assert psycopg2.connect is connect
