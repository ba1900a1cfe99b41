"""The upgrade of an empty scratch database to the heads, and what is seen in it."""

import traceback
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import Connection

from ..base.errors import HalfApplied, MigrationFailed
from ..base.sent import Sent
from ..base.verdicts import Verdict
from ..bridge.context import RunContext
from ..bridge.loading import ScriptHistory
from ..bridge.model_places import place_in_models
from ..bridge.operations import described, leaves
from ..database.engine import server_version
from ..database.linter import findings, installed_linter
from ..database.listening import is_of_the_run, listening
from ..database.statements import as_written
from ..settings.redaction import redacted
from .comparison import compare, describe_operations
from .migration import upgrade
from .scratch import in_scratch, scratch
from .stairway import failed


class Rehearsal:
    """One scratch database, empty at first. `sent` is what the new revisions have sent it."""

    def __init__(
        self, context: RunContext, history: ScriptHistory, new: Collection[str], url: str
    ) -> None:
        self._context = context
        self._history = history
        self._new = {history.get(id_).path: id_ for id_ in new}
        self._url = url
        self._version: str | None = None
        self.sent: dict[str, list[Sent]] = defaultdict(list)
        # A linter can't read the places that the driver fills.
        self._without_parameters: dict[str, list[Sent]] = defaultdict(list)

    def upgrade(self) -> list[Verdict]:
        """Upgrade it to the heads, and return the verdict on the revision that failed."""
        with (
            listening(before_cursor_execute=self._note),
            in_scratch(self._context, self._url) as it,
        ):
            try:
                upgrade(it)
            except (MigrationFailed, HalfApplied) as error:
                id_ = error.details["revision"]
                if id_ is None:
                    raise
                return [failed(self._history.get(id_), "upgrade", error, "upgrade")]
        return []

    def models(self) -> list[Verdict]:
        """Return how the models differ from the schema. Raises what `compare` raises."""
        with in_scratch(self._context, self._url) as there:
            found = compare(there, self._history)
        verdicts = []
        for script in found:
            operations = {
                line: each for each in leaves(script.upgrade_ops_list) for line in described(each)
            }
            for told in describe_operations(script):
                place = place_in_models(self._context.settings, operations[told])
                verdicts.append(Verdict("models", "error", told, None, *(place or (None, None))))
        return verdicts

    def why_not_linted(self) -> str:
        """Return why no linter can be asked; nothing where one can."""
        if not self._url.startswith("postgres"):
            return "the linter knows PostgreSQL only"
        return "" if installed_linter() else "no linter is installed: `pip install squawk-cli`"

    def lint(self) -> list[Verdict]:
        """Return what the linter finds in the new revisions."""
        program = installed_linter()
        verdicts: list[Verdict] = []
        for path, id_ in self._new.items():
            sent = self._without_parameters[id_]
            verdicts += findings(program, id_, path, sent, pg_version=self._version)
        return verdicts

    def _note(
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> None:
        """Keep a statement that a new revision sends, with the line that sends it."""
        self._version = self._version or server_version(connection)
        if is_of_the_run(context):
            return
        for frame, line in traceback.walk_stack(None):
            if id_ := self._new.get(frame.f_code.co_filename):
                is_alone = connection.get_execution_options().get("isolation_level")
                sql = as_written(statement, context).strip()
                sent = Sent(redacted(sql), line, is_alone != "AUTOCOMMIT")
                self.sent[id_].append(sent)
                if not parameters:
                    self._without_parameters[id_].append(sent)
                return


@contextmanager
def rehearsal(
    context: RunContext, history: ScriptHistory, new: Collection[str], scratch_url: str | None
) -> Iterator[Rehearsal]:
    """Make an empty scratch database; what the `new` revisions send it is kept.

    Raises what `scratch` raises.
    """
    with scratch(context, (), scratch_url=scratch_url) as made:
        yield Rehearsal(context, history, new, made.url)
