"""Completion of revisions in bash, zsh and fish."""

from click.shell_completion import CompletionItem

from ..migrator.errors import MigrateError
from .session import Session

_SYMBOLS = ("head", "heads", "base", "current")


def revisions(session: Session, incomplete: str) -> list[CompletionItem]:
    """Return the revisions that start with `incomplete`, none when the history can't be read."""
    from ..migrator.config import build_config
    from ..migrator.history import load_history
    from ..migrator.settings import load_settings

    try:
        config = build_config(load_settings(session.config_uri, session.config_vars))
        known = [(revision.revision, revision.message) for revision in load_history(config).all()]
    except MigrateError:
        return []  # a message would land in the middle of the line that is being typed
    offered = [*known, *((symbol, "") for symbol in _SYMBOLS)]
    return [
        CompletionItem(name, help=message)
        for name, message in offered
        if name.startswith(incomplete)
    ]
