"""Answers without Alembic and SQLAlchemy, where nothing about the project is unusual.

Most runs of `upgrade` change nothing, and importing both takes far longer than to see that. `run`
and `reports` give the same answers in every case; a reader can skip this file.
"""

import configparser
import os
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ..base.ask_alembic import AskAlembic
from ..base.faces import ENVIRONMENT
from ..base.results import Branch, HistoryReport, Revision, Run, Standing
from ..database.driver import read_versions, shown
from ..revisions import answers
from ..revisions.files import Reading, may_be_named_by, read_revision_files, why_not_read
from ..revisions.history import History, standing
from ..settings.settings import Settings

#: What these settings mean is either known here, or of no matter to what is answered here.
_KNOWN = {
    "compare_server_default",
    "compare_type",
    "file_template",
    "include_schemas",
    "path_separator",
    "recursive_version_locations",
    "render_as_batch",
    "script_location",
    "sourceless",
    "target_metadata",
    "timezone",
    "version_locations",
    "version_table",
    "version_table_pk",
    "version_table_schema",
}
#: The only env.py of which it is known that it opens `sqlalchemy.url`, and nothing else.
_ENV_PY = ["from", ENVIRONMENT, "import", "run_migrations", "run_migrations()"]


class Quick:
    """What can be told of the project of `settings`, within `seconds` where these are given.

    Raises AskAlembic, here or from a method, when only the ordinary path can answer.
    """

    def __init__(self, settings: Settings, seconds: float | None = None) -> None:
        if not settings.alembic.keys() <= _KNOWN:
            raise AskAlembic("an `alembic.*` setting may mean anything")
        _require_plain(settings.path)
        self._settings = settings
        self._seconds = seconds
        #: Where the database stands, once that has been read.
        self.heads_found: tuple[str, ...] | None = None
        self._folder = _folder(settings.script_location)
        if not os.path.exists(self._folder / "env.py"):
            raise AskAlembic("there is no env.py")
        default = str(self._folder / "versions")
        self._locations = settings.alembic.get("version_locations", default).split("\n")
        if not all(map(os.path.isabs, self._locations)):
            raise AskAlembic("a location is named by a package")

    def upgrade(self, target: str) -> Run:
        """Return the run that has nothing to do, where all is applied that `target` names."""
        history, heads = self._history, self._heads
        if target not in ("head", "heads") or (target == "head" and len(history.heads()) > 1):
            raise AskAlembic("the target is not all there is")
        self._require_at_heads()
        return Run("upgrade", target, heads, heads, (), False, standing(history, heads))

    def wait(self) -> Standing:
        """Return where the database stands, when that is at all heads."""
        self._require_at_heads()
        return self.current()

    def current(self, *, check_heads: bool = False) -> Standing:
        """Return what `reports.current` returns, and raise what it raises."""
        each = [self._heads]
        database = shown(self._settings.url)
        return answers.current(self._history, database, each, check_heads=check_heads)

    def history(self) -> HistoryReport:
        """Return what `reports.history` returns of all revisions."""
        if self._history.unknown(self._heads):
            raise AskAlembic("the marks are left out")
        return answers.marked(self._history, self._history.ids, self._heads)

    def heads(self, *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
        """Return what `reports.heads` returns."""
        return answers.heads(self._history, resolve_dependencies=resolve_dependencies)

    def branches(self) -> tuple[Branch, ...]:
        """Return what `reports.branches` returns."""
        return answers.branches(self._history)

    def show(self, target: str) -> tuple[Revision, ...]:
        """Return what `reports.show` returns, and raise what it raises."""
        if target != "current":
            return answers.found(target, self._history.find(target))
        self._history.require_known(self._heads)
        return answers.found(target, tuple(map(self._history.get, self._heads)))

    def _require_at_heads(self) -> None:
        if self._history.unknown(self._heads) or self._history.pending([self._heads]):
            raise AskAlembic("there is something to do, to wait for, or to complain of")

    @cached_property
    def reading(self) -> Reading:
        """What the revision files say."""
        options = self._settings.alembic
        return read_revision_files(
            [location for location in self._locations if os.path.exists(location)],
            sourceless=options.get("sourceless") == "true",
            recursive=options.get("recursive_version_locations") == "true",
        )

    @cached_property
    def _history(self) -> History:
        if may_be_named_by(self._folder / "env.py"):
            raise AskAlembic("env.py may say which files count")
        if any(map(why_not_read, self._locations)):
            raise AskAlembic("a folder can't be read")
        reading = self.reading
        if not reading.certain or reading.twice or not reading.files:
            raise AskAlembic("a file is no revision, or there is none")
        return History(reading.graph)

    @cached_property
    def _heads(self) -> tuple[str, ...]:
        settings = self._settings
        if len(settings.engine_options) != 1 or not settings.has_url:
            raise AskAlembic("the engine has options")
        _require_own_environment(self._folder)
        table = settings.alembic.get("version_table", "alembic_version")
        schema = settings.alembic.get("version_table_schema")
        self.heads_found = read_versions(settings.url, table, schema, self._seconds)
        return self.heads_found


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
