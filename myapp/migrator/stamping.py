"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Sequence

from alembic import command
from alembic.config import Config

from .database import read_heads, shared_engine
from .failures import told_as_errors
from .history import load_history, standing
from .results import Stamp
from .targets import find


def stamp(
    config: Config, revisions: Sequence[str], *, purge: bool = False, tag: str | None = None
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first.

    Raises RevisionNotFound, MultipleHeads, DatabaseAhead (which `purge` overrides), or what
    `database.read_heads` raises.
    """
    history = load_history(config)
    for revision in revisions:
        find(history, revision, f"stamp {revision}")
    with shared_engine(config):
        before = read_heads(config, history.script)
        if not purge:
            history.require_known(before, hint="`{cmd} stamp --purge REVISION` overrides it.")
        with told_as_errors():
            command.stamp(config, list(revisions), tag=tag, purge=purge)
        after = read_heads(config, history.script)
        return Stamp(before, after, standing(history, after))


def ensure_version(config: Config) -> Stamp:
    """Create the version table if it doesn't exist."""
    history = load_history(config)
    with shared_engine(config):
        history.require_known(read_heads(config, history.script))
        with told_as_errors():
            command.ensure_version(config)
        heads = read_heads(config, history.script)
    return Stamp(heads, heads, standing(history, heads))
