"""Where a database stands against the code, for an application that runs."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from ..base.results import Status, VersionTable
from ..bridge.configuration import build_context
from ..bridge.loading import load_history
from ..bridge.place import version_table
from ..revisions import answers
from ..settings.settings import Settings


class Code:
    """The revisions of the code that runs, read once: a running process keeps its code.

    No `env.py` runs, so that folders which it adds to `version_locations` are not seen.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the revision files.

        Raises SettingsError, or HistoryError when they form no history.
        """
        self._options = settings.alembic
        #: The revisions.
        self.history = load_history(build_context(settings))

    @property
    def heads(self) -> tuple[str, ...]:
        """The ids of the revisions that no other follows."""
        return self.history.heads()

    def status(self, connection: Connection | None) -> Status:
        """Return where the database of `connection` stands; raises SQLAlchemy's errors.

        None is a database that is yet to be made.
        """
        return answers.status(self.history, self._table(connection))

    def _table(self, connection: Connection | None) -> VersionTable:
        names = ("version_table", "version_table_schema")
        options = {name: self._options[name] for name in names if name in self._options}
        if connection is None:
            # The application knows which one it is.
            return VersionTable("", None, options.get("version_table", "alembic_version"), ())
        context = MigrationContext.configure(connection, opts=options)
        # NULL is no revision. Its row is for the next run to complain of.
        rows = dict.fromkeys(row for row in context.get_current_heads() if row is not None)
        return version_table(context, rows)
