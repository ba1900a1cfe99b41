"""The `migrate.*` settings: this command's own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..base.errors import SettingsError
from ..base.spelling import nearest
from .variables import Expanded

#: `retries` has no default: without it, the tries are counted by time.
_DEFAULTS = {
    "drift_ignore": "",
    "lock": "connection",
    "lock_patience": "600",
    "lock_timeout": "0.15",
    "lock_url": "",
    "lock_wait": "60",
    "on_ahead": "allow",
    "on_pending": "warn",
    "retries": "",
    "scratch_url": "",
    "statement_timeout": "0",
    "transaction": "revision",
    "wait_db": "0",
}
#: Few commands need these, and the variables in them may not be set for the others.
_READ_LATE = {"drift_ignore", "lock_url", "scratch_url"}
#: The values of some settings, and what each means.
_LOCKS = {"connection": "one of the lock's own", "session": "the migration's own"}
_TRANSACTIONS = {"revision": "a transaction for each", "single": "one for the whole run"}
_ON_PENDING = {
    "refuse": "the application does not start",
    "warn": "a line in its log",
    "ignore": "nothing",
    "page": "a page that says so, in development",
}
_ON_AHEAD = {"allow": "a line in the application's log", "refuse": "it does not start"}

#: How many seconds a lock is waited for where there is one try, and the .ini file doesn't say.
_ONCE = 5.0


@dataclass(frozen=True)
class Options:
    """How a run behaves towards others. Times are in seconds; a timeout of 0 means none.

    A revision is tried again for `lock_patience` seconds, or `retries` times; None is no limit. One
    of the two is a limit. `on_pending` and `on_ahead` are for an application that starts. A
    database that `is_thrown_away` is a scratch database, whose failures leave nothing to mend.
    """

    given: Expanded = field(repr=False)
    has_session_lock: bool
    lock_patience: float | None
    lock_timeout: float
    lock_wait: float
    on_ahead: str
    on_pending: str
    retries: int | None
    single_transaction: bool
    statement_timeout: float
    wait_db: float
    is_thrown_away: bool = False

    @property
    def has_own_lock_timeout(self) -> bool:
        """Whether the .ini file sets `lock_timeout`."""
        return "lock_timeout" in self.given

    @property
    def lock_timeout_once(self) -> float:
        """How long a lock is waited for by what isn't tried again: reading, and `stamp`."""
        return self.lock_timeout if self.has_own_lock_timeout else _ONCE

    @property
    def drift_ignore(self) -> tuple[str, ...]:
        """The patterns of what `drift` doesn't tell, such as `table public.old_*`.

        Raises SettingsError when a variable in it is not set.
        """
        lines = self.given.get("drift_ignore", "").split("\n")
        return tuple(line.strip() for line in lines if line.strip())

    @property
    def lock_url(self) -> str:
        """The URL at which the lock is taken, empty for the database's own URL.

        Raises SettingsError when a variable in it is not set.
        """
        return self.given.get("lock_url", "").strip()

    @property
    def scratch_url(self) -> str:
        """The URL of a database beside which scratch databases are made, empty for the configured.

        Raises SettingsError when a variable in it is not set.
        """
        return self.given.get("scratch_url", "").strip()


def read_options(given: Expanded) -> Options:
    """Read the `migrate.*` settings, named without the prefix.

    Raises SettingsError on an unknown name, naming the nearest known one, and on a bad value.
    """
    _require_known(given)
    needed = _DEFAULTS.keys() - _READ_LATE
    values = {key: given.get(key, _DEFAULTS[key]) for key in needed}
    is_counted = "retries" in given
    is_timed = "lock_patience" in given or not is_counted
    return Options(
        given=given,
        has_session_lock=_choice(values, "lock", _LOCKS) == "session",
        lock_patience=_seconds(values, "lock_patience") if is_timed else None,
        lock_timeout=_seconds(values, "lock_timeout"),
        lock_wait=_seconds(values, "lock_wait"),
        on_ahead=_choice(values, "on_ahead", _ON_AHEAD),
        on_pending=_choice(values, "on_pending", _ON_PENDING),
        retries=_count(values, "retries") if is_counted else None,
        single_transaction=_choice(values, "transaction", _TRANSACTIONS) == "single",
        statement_timeout=_seconds(values, "statement_timeout"),
        wait_db=_seconds(values, "wait_db"),
    )


def _require_known(given: Iterable[str]) -> None:
    for key in given:
        if key not in _DEFAULTS:
            near = nearest(key, _DEFAULTS, 0.4)
            known = ", ".join(f"migrate.{name}" for name in _DEFAULTS)
            raise SettingsError(
                f"`migrate.{key}` is not a setting of this command.",
                hint=f"did you mean `migrate.{near}`?" if near else f"the known ones: {known}.",
            )


def seconds(text: str, name: str) -> float:
    """Return a time in seconds. Raises SettingsError, naming `name`, when it isn't one."""
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise SettingsError(
            f"`{name}` is `{text}`, which is not a number of seconds.",
            hint=f"write a number, as in `{name}{'' if name.startswith('-') else ' ='} 5`.",
        )
    return value


def _seconds(migrate: Mapping[str, str], key: str) -> float:
    return seconds(migrate[key], f"migrate.{key}")


def _count(migrate: Mapping[str, str], key: str) -> int:
    if not re.fullmatch(r"\d{1,6}", migrate[key].strip()):
        raise SettingsError(
            f"`migrate.{key}` is `{migrate[key]}`, which is not a whole number.",
            hint=f"write `migrate.{key} = 10`, or 0 for none.",
        )
    return int(migrate[key])


def _choice(migrate: Mapping[str, str], key: str, choices: Mapping[str, str]) -> str:
    value = migrate[key].strip()
    if value not in choices:
        raise SettingsError(
            f"`migrate.{key}` is `{value}`, which is not one of its values.",
            hint=f"write {' or '.join(f'`{name}` ({what})' for name, what in choices.items())}.",
        )
    return value
