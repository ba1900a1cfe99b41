"""Commands that write the version table and run no migration: stamp, ensure-version."""

from collections.abc import Sequence

from alembic import command
from alembic.config import Config

from .database import read_heads
from .failures import environment_failed
from .history import load_history, standing
from .results import Stamp
from .targets import find
from .writing import writing


def stamp(
    config: Config,
    revisions: Sequence[str],
    *,
    purge: bool = False,
    tag: str | None = None,
) -> Stamp:
    """Set the version table to `revisions`; with `purge`, empty it first.

    Raises RevisionNotFound, MultipleHeads, DatabaseAhead (which `purge` overrides), or what
    `database.read_heads` raises.
    """
    history = load_history(config)
    for revision in revisions:
        find(history, revision, f"stamp {revision}")
    with writing(config):
        before = read_heads(config, history.script)
        if not purge:
            history.require_known(before, hint="`{cmd} stamp --purge REVISION` overrides it.")
        try:
            command.stamp(config, list(revisions), tag=tag, purge=purge)
        except Exception as error:
            raise environment_failed(error) from error
        after = read_heads(config, history.script)
        return Stamp(before, after, standing(history, after))


def ensure_version(config: Config) -> Stamp:
    """Create the version table if it doesn't exist."""
    history = load_history(config)
    with writing(config):
        try:
            command.ensure_version(config)
        except Exception as error:
            raise environment_failed(error) from error
        heads = read_heads(config, history.script)
    return Stamp(heads, heads, standing(history, heads))
