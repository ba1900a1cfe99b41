"""Where the reading commands have their facts from: the revision files, and the database."""

from alembic.config import Config

from ..base.ask_alembic import AskAlembic
from ..base.errors import MigrateError, UsageError
from ..base.results import Branch, HistoryReport, Revision, Standing
from ..bridge.configuration import settings_of
from ..bridge.connection import database_name
from ..bridge.loading import ScriptHistory, load_history, settled
from ..bridge.targets import check_known, find, resolve
from ..bridge.version_table import PATIENCE, history_of_files, read_each, read_heads
from ..revisions import answers
from ..revisions.resolution import revisions_between
from ..revisions.target import Range


def current(config: Config, *, check_heads: bool = False) -> Standing:
    """Return where the database stands, creating nothing; raises what `answers.current` raises."""
    history = load_history(config)
    each = read_each(config, history.script)
    history = settled(config, history)
    return answers.current(history, database_name(config), each, check_heads=check_heads)


def heads(config: Config, *, resolve_dependencies: bool = False) -> tuple[Revision, ...]:
    """Return the revisions that no other follows, as `answers.heads`."""
    return answers.heads(history_of_files(config), resolve_dependencies=resolve_dependencies)


def branches(config: Config) -> tuple[Branch, ...]:
    """Return the revisions at which the history branches, the newest first."""
    return answers.branches(history_of_files(config))


def show(config: Config, target: str, *, command: str = "show") -> tuple[Revision, ...]:
    """Return the revisions that `target` names, one at least; `current` asks the database.

    Raises RevisionNotFound when it names none.
    """
    if target != "current":
        history = history_of_files(config)
        return answers.found(target, find(history, target, f"{command} {target}"))
    history = load_history(config)
    heads = read_heads(config, history.script)
    history = settled(config, history)
    history.require_known(heads)
    return answers.found(target, tuple(map(history.get, heads)))


def history(
    config: Config, rev_range: str | None = None, *, require_database: bool = False
) -> HistoryReport:
    """Return the revisions of `rev_range`, `[start]:[end]`, each with its state in the database.

    When the database can't be asked, the revisions come without a state, unless
    `require_database` is set or the range names `current`: then the database's error is raised.
    """
    known = load_history(config)
    base, head = _range(rev_range)
    needs_database = require_database or "current" in (base, head)
    unmarked = None
    heads: tuple[str, ...] = ()
    try:
        # Where the database is only asked for the marks, a dead one must not hold the answer up.
        is_patient = needs_database or settings_of(config).options.wait_db
        heads = read_heads(config, known.script, seconds=None if is_patient else PATIENCE)
        known = settled(config, known)
        known.require_known(heads)
    except MigrateError as error:
        if needs_database:
            raise
        known = settled(config, known)
        unmarked = error.message
    for end in (base, head):
        if end not in ("", "current"):
            check_known(known, end)
    ends = _end(base, heads) or "base", _end(head, heads) or "heads"
    return answers.marked(known, _between(known, rev_range or "", *ends), heads, unmarked)


def _between(
    history: ScriptHistory, typed: str, base: str | tuple[str, ...], head: str | tuple[str, ...]
) -> list[str]:
    """Return the revisions from `head` down to `base`, which was `typed` as a range."""
    try:
        if isinstance(base, str) and isinstance(head, str):
            return revisions_between(history.graph, base, head)
    except AskAlembic:
        pass  # Alembic is asked below
    walk = history.script.walk_revisions
    # Alembic takes several revisions here; its annotation says one.
    found = resolve(history, typed, "history", lambda: list(walk(base, head)))  # type: ignore[arg-type]
    return [script.revision for script in found]


def _range(rev_range: str | None) -> tuple[str, str]:
    if rev_range is None:
        return "", ""
    typed = Range.parse(rev_range.strip())
    if typed is None:
        raise UsageError(
            f"`{rev_range}` is not a range of revisions.",
            hint="write `[start]:[end]`, such as `-r base:current`, `-r ab12:` or `-r :head`.",
        )
    return typed.start, typed.end


def _end(symbol: str, heads: tuple[str, ...]) -> str | tuple[str, ...]:
    """Return one end of a range, with `current` as the database has it."""
    if symbol != "current":
        return symbol
    return heads or "base"
