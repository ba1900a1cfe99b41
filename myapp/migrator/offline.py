"""`--sql`: the script that a run would execute, written without a database."""

import io
from collections.abc import Callable, Sequence

from alembic import command
from alembic.config import Config

from .database import read_heads
from .errors import UsageError
from .failures import environment_failed
from .history import History, load_history
from .targets import resolve, several_heads


def upgrade_sql(config: Config, target: str, *, tag: str | None = None) -> str:
    """Return the SQL of an upgrade to `target`, or of `from:to`; `current:to` asks the database.

    Without a start, it begins at an empty database.
    """
    history = load_history(config)
    target = _with_start(config, history, target)
    return _write(
        config, history, target, "upgrade", lambda: command.upgrade(config, target, True, tag)
    )


def downgrade_sql(config: Config, target: str, *, tag: str | None = None) -> str:
    """Return the SQL of a downgrade, `from:to`; `current:to` asks the database.

    Raises UsageError when the start is missing.
    """
    if ":" not in target:
        raise UsageError(
            "`downgrade --sql` needs a start: it does not look at the database.",
            hint=f"write `downgrade FROM:{target} --sql`; FROM may be `current`.",
        )
    history = load_history(config)
    target = _with_start(config, history, target)
    return _write(
        config, history, target, "downgrade", lambda: command.downgrade(config, target, True, tag)
    )


def stamp_sql(config: Config, revisions: Sequence[str], *, tag: str | None = None) -> str:
    """Return the SQL that stamps `revisions`, each `to` or `from:to`."""
    history = load_history(config)
    targets = [_with_start(config, history, revision) for revision in revisions]
    return _write(
        config,
        history,
        ":".join(targets),
        "stamp",
        lambda: command.stamp(config, targets, sql=True, tag=tag),
    )


def ensure_version_sql(config: Config) -> str:
    """Return the SQL that creates the version table."""
    history = load_history(config)
    return _write(
        config, history, "", "ensure-version", lambda: command.ensure_version(config, sql=True)
    )


def _with_start(config: Config, history: History, target: str) -> str:
    start, colon, end = target.partition(":")
    if ":" in end:
        raise UsageError(f"`{target}` is not a range of revisions.", hint="write `from:to`.")
    if not colon or start != "current":
        return target
    heads = read_heads(config, history.script)
    history.require_known(heads)
    if len(heads) > 1:
        raise several_heads(history, heads, f"--sql {target}")
    return f"{heads[0] if heads else 'base'}:{end}"


def _write(
    config: Config, history: History, target: str, name: str, run: Callable[[], None]
) -> str:
    # Held back until it is whole: half a script, piped into psql, would be run.
    written = io.StringIO()
    output, config.output_buffer = config.output_buffer, written
    try:
        resolve(history, target, name, run)
    except Exception as error:
        raise environment_failed(error) from error
    finally:
        config.output_buffer = output
    return written.getvalue()
