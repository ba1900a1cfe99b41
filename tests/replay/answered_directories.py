"""What Alembic's tests ask a ScriptDirectory, answered by this command."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError, to_tuple

from myapp.migrator.base.errors import MigrateError
from myapp.migrator.bridge.loading import ScriptHistory, load_history
from myapp.migrator.config import run_context
from myapp.migrator.run.plan import Planner, plan_downgrade, plan_upgrade

from .handing_over import is_running
from .ini import write_ini
from .words import in_alembics_words

#: The methods of a ScriptDirectory that this command has answered, for the end of the report.
answered: list[str] = []

_INI = "[app:main]\nuse = egg:myapp\nalembic.script_location = {}\n"


def replace_answers() -> None:
    """Have a ScriptDirectory's revisions read, and its steps planned, by this command."""
    _replace_reading()
    _replace("_upgrade_revs", "upgrade", plan_upgrade)
    _replace("_downgrade_revs", "downgrade", plan_downgrade)


def _replace_reading() -> None:
    alembics = ScriptDirectory.from_config
    is_reading: list[bool] = []

    def from_config(config: Config) -> ScriptDirectory:
        script = alembics(config)
        # A new folder has no env.py, or no revisions, and is for Alembic's tests of its own class.
        is_whole = any(Path(script.dir).glob("env.py*")) and all(
            Path(folder).is_dir() for folder in script.version_locations or ()
        )
        if is_whole and not is_running() and not is_reading:
            before = list(sys.path)
            is_reading.append(True)
            answered.append("from_config")
            try:
                script.revision_map = _loaded(write_ini(config)).script.revision_map
            finally:
                is_reading.clear()
                sys.path[:] = before
        return script

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign, assignment]


def _loaded(ini: Path) -> ScriptHistory:
    """Load the revisions. Raises CommandError, as Alembic does."""
    try:
        return load_history(run_context(ini))
    except MigrateError as error:
        raise CommandError(error.message) from error


def _replace(method: str, command: str, planner: Planner) -> None:
    alembics = getattr(ScriptDirectory, method)

    def revs(script: ScriptDirectory, destination: str, rows: Any) -> Any:
        if is_running():
            return alembics(script, destination, rows)
        answered.append(method)
        # Base, which has other names among Alembic's functions than on a command line.
        rows = tuple(row for row in to_tuple(rows, default=()) if row != "base")
        planned = _planned(script, command, planner, destination or "base", rows)
        scripts = script.revision_map
        return [
            RevisionStep(scripts, scripts.get_revision(id_), command == "upgrade")
            for id_ in planned
        ]

    setattr(ScriptDirectory, method, revs)


def _planned(
    script: ScriptDirectory, command: str, planner: Planner, destination: str, rows: Sequence[str]
) -> list[str]:
    folder = Path(script.dir).absolute()
    ini = folder.with_name("replay_steps.ini")
    ini.write_text(_INI.format(folder), encoding="utf-8")
    try:
        steps = planner(load_history(run_context(ini)), destination, rows)
    except MigrateError as error:
        words = in_alembics_words(command, error.message)
        raise CommandError("\n".join([words, error.message]).strip()) from error
    return [step.revision.revision for step in steps]
