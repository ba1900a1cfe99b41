"""The one family of errors: what happened, what to type, and the exit status that scripts test.

    MigrateError            exit  code in JSON
    |-- MigrationFailed        1  migration_failed
    |-- UsageError             2  usage
    |-- SettingsError          2  settings
    |-- HistoryError           2  history
    |-- EnvPyFailed            2  env_py
    |-- BadRevision            2  revision
    |-- PendingMigrations      3  pending
    |-- SchemaDrift            4  drift
    |-- LockNotObtained        5  locked
    |-- LockLost               5  lock_lost
    |-- DatabaseUnreachable    6  unreachable
    |-- DatabaseAhead          7  ahead
    |-- MultipleHeads          8  multiple_heads
    |-- HalfApplied            9  half_applied
    |                         10  no error: the answer of `plan --strict`
    |-- InternalError         70  internal
    `-- Interrupted          129  interrupted (SIGHUP; 130 is Ctrl-C, 143 is SIGTERM)

docs/json.md describes the details of each.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from .forks import Fork

#: Why a revision can't be used. `empty`: it names none. `out_of_reach`: no way leads to it.
#: `irreversible`: one on the way to it can't be undone.
BadRevisionReason = Literal[
    "unknown", "ambiguous", "too_short", "empty", "out_of_reach", "not_applied", "irreversible"
]

#: How far a run came, in ids of revisions. `not_recorded` have run too, but left no row.
_RUN = ("done", "not_recorded", "not_begun")
#: Where a revision ran last, and where it stands. `databases` are `results.Status`.
_WHERE = ("database", "schema", "rows", "databases")


class MigrateError(Exception):
    """Base of every error that this package raises on purpose.

    `message` says what happened and why it matters. `hint` says what to type; `{cmd}` in it stands
    for the command line up to the subcommand. `details` are plain values for machines, under the
    names that the class lists in `details_of`; one that is not known is None. `sql` is the part of
    a script that was written before it failed.
    """

    code: ClassVar[str]
    exit_code: int
    details_of: ClassVar[tuple[str, ...]] = ()
    sql: str | None = None

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = dict.fromkeys(self.details_of) | details

    def add_details(self, details: Mapping[str, Any]) -> None:
        """Add those of `details` that the class lists."""
        self.details |= {name: details[name] for name in self.details_of if name in details}


class MigrationFailed(MigrateError):
    """A migration failed and was rolled back."""

    code = "migration_failed"
    exit_code = 1
    details_of = ("revision", "path", *_WHERE, *_RUN)


class UsageError(MigrateError):
    """The command line can't be carried out as typed."""

    code = "usage"
    exit_code = 2


class SettingsError(MigrateError):
    """The .ini file, a setting, or an environment variable is wrong."""

    code = "settings"
    exit_code = 2


class HistoryError(MigrateError):
    """The revision files don't form a history: one can't be loaded, or doesn't fit the others."""

    code = "history"
    exit_code = 2
    details_of = ("paths", "line")


class EnvPyFailed(MigrateError):
    """The migrations' `env.py` raised an exception, or did not run Alembic."""

    code = "env_py"
    exit_code = 2
    details_of = ("path", "line", *_RUN)


class BadRevision(MigrateError):
    """A revision was typed that can't be used; `reason` says why, in a word for machines."""

    code = "revision"
    exit_code = 2
    details_of = ("reason", "candidates", "nearest")

    def __init__(
        self, message: str, *, reason: BadRevisionReason, hint: str | None = None, **details: Any
    ) -> None:
        super().__init__(message, hint=hint, reason=reason, **details)


class PendingMigrations(MigrateError):
    """Revisions are not applied, and the command needs them to be."""

    code = "pending"
    exit_code = 3
    details_of = ("rows", "pending", "databases")


class SchemaDrift(MigrateError):
    """Models and database differ."""

    code = "drift"
    exit_code = 4
    details_of = ("differences",)


class LockNotObtained(MigrateError):
    """Another run holds the lock and did not finish in time."""

    code = "locked"
    exit_code = 5
    details_of = ("holder",)


class LockLost(MigrateError):
    """The lock was lost while a run held it."""

    code = "lock_lost"
    exit_code = 5
    details_of = (*_WHERE, *_RUN)


class DatabaseUnreachable(MigrateError):
    """The database can't be connected to, read or written."""

    code = "unreachable"
    exit_code = 6
    details_of = ("retryable", "revision", "path", "database", "schema", *_RUN)

    def __init__(self, message: str, *, retryable: bool, **details: Any) -> None:
        super().__init__(message, retryable=retryable, **details)
        #: Whether the database may answer a moment later.
        self.retryable = retryable


class DatabaseAhead(MigrateError):
    """The database is at a revision that this code doesn't have."""

    code = "ahead"
    exit_code = 7
    details_of = ("unknown", "database", "schema", "table")


class MultipleHeads(MigrateError):
    """There are several heads, and the command needs one.

    `fork` is how they have come apart, a `forks.Fork`.
    """

    code = "multiple_heads"
    exit_code = 8
    details_of = ("heads", "fork")

    def __init__(self, message: str, *, fork: "Fork", **details: Any) -> None:
        super().__init__(message, fork=fork.document(), **details)
        self.fork = fork


class HalfApplied(MigrateError):
    """A migration failed, and a part of it may have stayed: a full rollback is not proven."""

    code = "half_applied"
    exit_code = 9
    details_of = (
        "revision",
        "path",
        *_WHERE,
        *_RUN,
        "committed",
        "more_committed",
        "failed",
        "invalid_indexes",
    )


class InternalError(MigrateError):
    """An exception that nobody expected: a bug."""

    code = "internal"
    exit_code = 70


class Interrupted(MigrateError):
    """The run was stopped by SIGHUP (129), Ctrl-C (130) or SIGTERM (143)."""

    code = "interrupted"
    details_of = (
        "revision",
        "path",
        *_WHERE,
        *_RUN,
        "committed",
        "more_committed",
        "invalid_indexes",
    )

    def __init__(self, message: str, *, exit_code: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.exit_code = exit_code
