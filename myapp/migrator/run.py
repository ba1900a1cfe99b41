"""Upgrade and downgrade: plan, lock, run each revision, try again what may be, and say the end."""

from collections.abc import Sequence

from alembic.config import Config

from .config import canceller_of, settings_of, watcher_of
from .database import read_heads, shared_engine
from .errors import MigrationFailed
from .execution import Execution, Planner
from .history import History, load_history, standing
from .outcome import failure
from .plan import is_past, plan_downgrade, plan_upgrade
from .results import Direction, Run, Step
from .retries import Attempts
from .writing import writing


def upgrade(
    config: Config,
    target: str = "heads",
    *,
    tag: str | None = None,
    allow_ahead: bool = False,
) -> Run:
    """Upgrade the database to `target`, each revision in its own transaction, under the lock.

    With `allow_ahead`, a database at a revision that the code lacks counts as done.

    Raises MigrationFailed or HalfApplied when a revision fails, LockNotObtained, LockLost or
    Interrupted, and what `plan.plan_upgrade` and `database.read_heads` raise before anything is
    changed.
    """
    return _run(config, "upgrade", plan_upgrade, target, tag, allow_ahead)


def downgrade(config: Config, target: str, *, tag: str | None = None) -> Run:
    """Downgrade the database to `target`; raises what `upgrade` raises."""
    return _run(config, "downgrade", plan_downgrade, target, tag, False)


def _run(
    config: Config,
    direction: Direction,
    planner: Planner,
    target: str,
    tag: str | None,
    allow_ahead: bool,
) -> Run:
    history = load_history(config)
    with shared_engine(config):
        before = read_heads(config, history.script)
        if allow_ahead and history.unknown(before):
            return Run(direction, target, before, before, (), True, ", ".join(before))
        if not planner(history, target, before):
            past = direction == "upgrade" and is_past(history, target, before)
            return Run(direction, target, before, before, (), past, standing(history, before))
        with writing(config) as lock:
            execution = Execution(config, history, direction, planner, target, lock)
            _execute(execution, tag)
        after = read_heads(config, history.script)
        _require_persisted(history, execution.done, before, after)
        return Run(
            direction,
            target,
            before,
            after,
            tuple(execution.done),
            False,
            standing(history, after),
        )


def _execute(execution: Execution, tag: str | None) -> None:
    """Run to the end, trying again a revision that met the application's locks."""
    lock, signal = execution.lock, canceller_of(execution.config)
    invalid_before = lock.invalid_indexes()
    try:
        attempts = Attempts(execution, settings_of(execution.config).options.retries)
        while True:
            try:
                execution.run(tag)
                break
            except Exception as error:
                if not attempts.another(error):
                    raise
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        raise failure(execution, error, invalid_before, signal.signal) from error
    if left := lock.invalid_indexes() - invalid_before:
        watcher_of(execution.config).notice(
            f"the run left invalid indexes: {', '.join(sorted(left))}"
        )


def _require_persisted(
    history: History, done: Sequence[Step], before: Sequence[str], after: Sequence[str]
) -> None:
    """Raise MigrationFailed when `env.py` reported success and the database shows none.

    An `env.py` that runs a statement before `context.configure()` opens a transaction that nobody
    commits.
    """
    if done and set(before) == set(after):
        raise MigrationFailed(
            "env.py reported success, but nothing was committed: the database still stands at"
            f" {standing(history, after)}.",
            hint="in env.py, run no statement on the connection before `context.configure()`, or"
            " commit it.",
            heads=list(after),
        )
