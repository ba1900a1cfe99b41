"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from alembic import command
from alembic.config import Config

from .database import read_heads, shared_engine
from .failures import told_as_errors
from .history import History, load_history, standing
from .outcome import interrupted
from .results import Stamp
from .targets import find
from .writing import writing


def stamp(
    config: Config, revisions: Sequence[str], *, purge: bool = False, tag: str | None = None
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first.

    Raises RevisionNotFound, MultipleHeads, DatabaseAhead (which `purge` overrides), LockNotObtained
    or Interrupted, or what `database.read_heads` raises.
    """
    history = load_history(config)
    for revision in revisions:
        find(history, revision, f"stamp {revision}")
    with _locked(config, history):
        before = read_heads(config, history.script)
        if not purge:
            history.require_known(before, hint="`{cmd} stamp --purge REVISION` overrides it.")
        with told_as_errors():
            command.stamp(config, list(revisions), tag=tag, purge=purge)
        after = read_heads(config, history.script)
    return Stamp(before, after, standing(history, after))


def ensure_version(config: Config) -> Stamp:
    """Create the version table if it doesn't exist; raises what `stamp` raises."""
    history = load_history(config)
    with _locked(config, history):
        history.require_known(read_heads(config, history.script))
        with told_as_errors():
            command.ensure_version(config)
        heads = read_heads(config, history.script)
    return Stamp(heads, heads, standing(history, heads))


@contextmanager
def _locked(config: Config, history: History) -> Iterator[None]:
    with shared_engine(config):
        try:
            with writing(config):
                yield
        except KeyboardInterrupt as interrupt:
            raise interrupted(config, history, interrupt) from None
