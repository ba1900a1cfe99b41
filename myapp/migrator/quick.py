"""Answers without Alembic and SQLAlchemy, where nothing about the project is unusual.

Most runs of `upgrade` change nothing, and importing both takes far longer than to see that. `run`
and `reports` give the same answers, and the errors; a reader can skip this file.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from .driver import Unusual, read_versions, shown
from .graph import AskAlembic, Graph
from .results import HistoryReport, MarkedRevision, Revision, Run, Standing, State
from .revision_files import read_revision_files
from .settings import Settings

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
_ENV_PY = ["from", f"{__package__}.environment", "import", "run_migrations", "run_migrations()"]


class Quick:
    """The history and where the database stands in it.

    Raises Unusual, here or from a method, when only the ordinary path can answer.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.alembic.keys() <= _KNOWN or len(settings.engine_options) != 1:
            raise Unusual
        if not settings.has_url:
            raise Unusual
        folder = _folder(settings.script_location)
        _require_own_environment(folder)
        options = settings.alembic
        locations = options.get("version_locations", str(folder / "versions")).split("\n")
        if not all(map(os.path.isabs, locations)):
            raise Unusual
        reading = read_revision_files(
            [location for location in locations if os.path.exists(location)],
            sourceless=options.get("sourceless") == "true",
            recursive=options.get("recursive_version_locations") == "true",
        )
        if not reading.certain or reading.twice:
            raise Unusual
        try:
            self.graph = Graph(reading.files)
        except AskAlembic as error:
            raise Unusual from error
        table = options.get("version_table", "alembic_version")
        self.heads = read_versions(settings.url, table, options.get("version_table_schema"))
        if not self.graph.files or not self.graph.files.keys() >= set(self.heads):
            raise Unusual
        self._applied = self.graph.applied(self.heads)
        self._url = settings.url

    def upgrade(self, target: str) -> Run:
        """Return the run that has nothing to do, where all is applied that `target` names."""
        if target not in ("head", "heads") or (target == "head" and len(self.graph.heads) > 1):
            raise Unusual
        if self._pending():
            raise Unusual
        return Run("upgrade", target, self.heads, self.heads, (), False, self._standing())

    def current(self, *, check_heads: bool = False) -> Standing:
        """Return where the database stands; as `reports.current`, but for its errors."""
        pending = self._pending()
        if check_heads and pending:
            raise Unusual
        current = tuple(self._revision(id_) for id_ in self.graph.current(self.heads))
        return Standing(shown(self._url), self.heads, current, pending)

    def history(self) -> HistoryReport:
        """Return the whole history, as `reports.history`."""
        current = set(self.graph.current(self.heads))
        marked = []
        for id_ in self.graph.walk():
            state: State = "applied" if id_ in self._applied else "pending"
            marked.append(
                MarkedRevision(self._revision(id_), "current" if id_ in current else state)
            )
        return HistoryReport(tuple(marked), None)

    def _pending(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in self.graph.walk() if id_ not in self._applied)

    def _standing(self) -> str:
        titles = [self._revision(head).title for head in self.heads]
        return ", ".join(titles) or "base (no revision)"

    def _revision(self, id_: str) -> Revision:
        file = self.graph.files[id_]
        doc = file.doc.split("\n\n")[0]
        return Revision(
            revision=id_,
            down_revisions=file.down_revision,
            depends_on=file.depends_on,
            branch_labels=tuple(sorted(self.graph.branch_labels[id_])),
            message=" ".join(doc.split()).removesuffix("."),
            doc=file.doc,
            path=file.path,
            next_revisions=tuple(sorted(self.graph.next_revisions[id_])),
            is_head=not self.graph.next_revisions[id_],
        )


def _folder(location: str) -> Path:
    if os.path.isabs(location):
        return Path(location)
    package, _, folder = location.partition(":")
    # To look for a package within another would import the outer one.
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not folder or ":" in folder or not spec.submodule_search_locations:
        raise Unusual
    places = list(spec.submodule_search_locations)
    if len(places) > 1:
        raise Unusual
    return Path(places[0], folder)


def _require_own_environment(folder: Path) -> None:
    try:
        text = (folder / "env.py").read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Unusual from error
    start, quotes, rest = text.partition('"""')
    docstring, closing, code = rest.partition('"""')
    is_documented = not start.strip() and quotes and closing and "\\" not in docstring
    if (code if is_documented else text).split() != _ENV_PY:
        raise Unusual
