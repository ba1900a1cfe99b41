"""Answers without Alembic and SQLAlchemy, where nothing about the project is unusual.

Most runs of `upgrade` change nothing, and importing both takes far longer than to see that.
`alembic_source` gives the same answers in every case; a reader can skip this file.
"""

import configparser
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ..base.ask_alembic import AskAlembic
from ..base.faces import ENVIRONMENT
from ..base.results import CurrentRevisions, Revision, Run, Status, VersionTable
from ..base.status_report import DatabaseReport, StatusReport
from ..database.driver import Rest, read_at_rest, read_version_table
from ..revisions import answers
from ..revisions.files import Reading, may_be_named_by, read_revision_files, why_not_read
from ..revisions.history import History
from ..revisions.tested import untested_alembic
from ..settings.settings import Settings
from . import reports

#: The only env.py of which it is known that it opens `sqlalchemy.url`, and nothing else.
_ENV_PY = ["from", ENVIRONMENT, "import", "run_migrations", "run_migrations()"]


class QuickSource:
    """A `reports.Source` for the project of `settings`, within `seconds` where these are given.

    Raises AskAlembic, here or from a method, when only the ordinary path can answer.
    """

    def __init__(self, settings: Settings, seconds: float | None = None) -> None:
        if settings.alembic.need_alembic():
            raise AskAlembic("an `alembic.*` setting may mean anything")
        if reason := untested_alembic():
            raise AskAlembic(reason)
        _require_plain(settings.path)
        self._settings = settings
        self._seconds = seconds
        #: The version table, once it has been read.
        self.table: VersionTable | None = None
        self._folder = _folder(settings.script_location)
        if not os.path.exists(self._folder / "env.py"):
            raise AskAlembic("there is no env.py")
        default = str(self._folder / "versions")
        self._locations = settings.alembic.get("version_locations", default).split("\n")
        if not all(map(os.path.isabs, self._locations)):
            raise AskAlembic("a location is named by a package")

    def history(self) -> History:
        """Return the revisions."""
        return self._history

    def history_so_far(self) -> History:
        """Return the revisions."""
        return self._history

    def stand(self, *, is_needed: bool = True) -> tuple[History, tuple[VersionTable, ...]]:
        """Return the revisions, and the version table."""
        return self._history, (self._table,)

    def find(self, history: History, target: str, command: str) -> tuple[Revision, ...]:
        """Return the revisions that `target` names."""
        return history.find(target)

    def between(
        self, history: History, typed: str, base: str | Sequence[str], head: str | Sequence[str]
    ) -> Sequence[str]:
        """Return the ids of a range; raises AskAlembic, as that is seldom asked."""
        raise AskAlembic("the range may be written in any way")

    @cached_property
    def reading(self) -> Reading:
        """What the revision files say."""
        options = self._settings.alembic
        return read_revision_files(
            self._locations,
            sourceless=options.is_on("sourceless"),
            recursive=options.is_on("recursive_version_locations"),
        )

    @cached_property
    def _history(self) -> History:
        if may_be_named_by(self._folder / "env.py"):
            raise AskAlembic("env.py may say which files count")
        if any(map(why_not_read, self._locations)) or not all(map(os.path.exists, self._locations)):
            raise AskAlembic("a folder can't be read")
        reading = self.reading
        if not reading.certain or reading.twice or not reading.files:
            raise AskAlembic("a file is no revision, or there is none")
        return History(reading.graph, str(self._folder))

    @cached_property
    def _table(self) -> VersionTable:
        self.table = read_version_table(*self._place(), self._seconds)
        return self.table

    def at_rest(self) -> Rest:
        """Return what is read of a database on which no run works."""
        rest = read_at_rest(*self._place(), self._seconds)
        self.table = rest.table
        return rest

    def _place(self) -> tuple[str, str, str | None]:
        """Return the URL, and the version table's name and schema."""
        settings = self._settings
        if len(settings.engine_options) != 1 or not settings.has_url:
            raise AskAlembic("the engine has options")
        _require_own_environment(self._folder)
        name = settings.alembic.get("version_table", "alembic_version")
        return settings.url, name, settings.alembic.get("version_table_schema")


def nothing_to_do(source: QuickSource, target: str) -> Run:
    """Return the run of an upgrade where all is applied that `target` names.

    Raises AskAlembic when it isn't, or can't be told.
    """
    history, (table,) = source.stand()
    if target not in ("head", "heads") or (target == "head" and len(history.heads()) > 1):
        raise AskAlembic("the target is not all there is")
    found = _require_at_heads(history, table)
    if history.implied(table.rows):
        raise AskAlembic("the rows have to be told of")
    return Run(table.rows, "upgrade", target, (), False, databases=(found,))


def heads_to_join_told(source: QuickSource, target: str) -> str | None:
    """Return the warning of several heads, for an upgrade to all of them."""
    return answers.heads_to_join_told(source.history()) if target == "heads" else None


def at_heads(source: QuickSource) -> CurrentRevisions:
    """Return where the database stands; raises AskAlembic unless that is at all heads."""
    history, (table,) = source.stand()
    _require_at_heads(history, table)
    return reports.current(source)


def status(source: QuickSource) -> StatusReport:
    """Return where the database stands; raises AskAlembic unless all is well with it."""
    history = source.history()
    if answers.heads_to_join(history):
        raise AskAlembic("the fork has to be shown")
    rest = source.at_rest()
    found = _require_at_heads(history, rest.table)
    if history.implied(rest.table.rows):
        raise AskAlembic("the rows have to be told of")
    database = DatabaseReport(
        rest.table.database, rest.table.schema, rest.server, rest.seconds, status=found
    )
    return StatusReport(answers.heads(history), None, (), (database,))


def _require_at_heads(history: History, table: VersionTable) -> Status:
    """Return where the database stands; raises AskAlembic unless that is at all heads."""
    found = answers.status(history, table)
    if found.state != "ok":
        raise AskAlembic("there is something to do, to wait for, or to complain of")
    return found


def _require_plain(path: Path) -> None:
    """Refuse an .ini file that Alembic's own parser would: to it, `Key` and `key` are the same."""
    try:
        configparser.ConfigParser(interpolation=None).read(path, encoding="utf-8")
    except configparser.Error as error:
        raise AskAlembic("Alembic can't read the .ini file") from error


def _folder(location: str) -> Path:
    if os.path.isabs(location):
        return Path(location)
    package, _, folder = location.partition(":")
    # To look for a package within another would import the outer one.
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not folder or ":" in folder or not spec.submodule_search_locations:
        raise AskAlembic("the location is no plain `package:folder`")
    places = list(spec.submodule_search_locations)
    if len(places) > 1:
        raise AskAlembic("the package is in several places")
    return Path(places[0], folder)


def _require_own_environment(folder: Path) -> None:
    try:
        text = (folder / "env.py").read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise AskAlembic("env.py can't be read") from error
    start, quotes, rest = text.partition('"""')
    docstring, closing, code = rest.partition('"""')
    is_documented = not start.strip() and quotes and closing and "\\" not in docstring
    if (code if is_documented else text).split() != _ENV_PY:
        raise AskAlembic("env.py may do anything")
