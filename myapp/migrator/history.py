"""The revision history: what the files say, and how revisions stand to each other."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from inspect import cleandoc
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError

from .config import settings_of
from .errors import DatabaseAhead, MigrateError, SettingsError
from .failures import described
from .lazy_scripts import read_as_text
from .results import Revision


def load_history(config: Config) -> "History":
    """Load the revision files of `config`.

    Raises SettingsError when there is no such folder, HistoryError when the files form no history.
    """
    location = settings_of(config).script_location
    try:
        script = ScriptDirectory.from_config(config)
    except (CommandError, ModuleNotFoundError) as error:
        why = "" if isinstance(error, CommandError) else f": {error.msg}"
        raise _bad_location(f"`{location}`, which does not exist{why}") from None
    except Exception as error:  # a package's own code, or an option that is no number
        raise SettingsError(
            f"The `alembic.*` settings can't be used: {described(error)}.",
            hint="`--traceback` before CONFIG_URI shows which one was read.",
        ) from error
    if not any(Path(script.dir).glob("env.py*")):
        raise _bad_location(f"`{location}`, which has no env.py")
    try:
        with warnings.catch_warnings():
            # Alembic only warns where one file hides another, or a parent is missing.
            warnings.filterwarnings("error", r"Revision .* is (not )?present", UserWarning)
            read_as_text(script)
            script.get_heads()
    except MigrateError:
        raise
    except (Exception, SystemExit) as error:
        from .diagnosis import diagnose

        raise diagnose(script, error) from error
    return History(script)


def _bad_location(what: str) -> SettingsError:
    return SettingsError(
        f"`alembic.script_location` is {what}, so there are no migrations.",
        hint="mend it (a relative path starts at the .ini file's folder), or make the folder with"
        " `{cmd} init FOLDER`.",
    )


class History:
    """The revisions of one script directory."""

    def __init__(self, script: ScriptDirectory) -> None:
        self.script = script

    def heads(self) -> tuple[str, ...]:
        """Return the ids of the revisions that no other follows."""
        return tuple(self.script.get_heads())

    def get(self, revision: str) -> Revision:
        """Return the revision with exactly this id."""
        return describe(self.script.get_revision(revision))

    def all(self) -> Iterator[Revision]:
        """Yield every revision, the newest first."""
        return map(describe, self.script.walk_revisions())

    def titles(self, revisions: Iterable[str]) -> str:
        """Return ids with their messages, for use in a sentence."""
        return ", ".join(
            self.get(revision).title if revision in self._known else revision
            for revision in revisions
        )

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Every revision id, the newest first."""
        # Kept, because Alembic sorts the whole history each time it is walked.
        return tuple(script.revision for script in self.script.walk_revisions())

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids)

    def applied(self, heads: Iterable[str]) -> set[str]:
        """Return the ids of all revisions that a database at `heads` has been through.

        Of a head that no file has, it can tell nothing but that.
        """
        seen: set[str] = set()
        todo = list(heads)
        while todo:
            revision = todo.pop()
            if revision not in seen:
                seen.add(revision)
                todo.extend(self._parents(revision) if revision in self._known else ())
        return seen

    def current(self, heads: Iterable[str]) -> list[str]:
        """Return where each branch of a database at `heads` stands, dependencies included.

        A head that another branch depends on has no row of its own in the version table.
        """
        applied = self.applied(heads)
        return [
            revision
            for revision in self.ids
            if revision in applied
            and applied.isdisjoint(self.script.get_revision(revision).nextrev)
        ]

    def pending(self, each: Iterable[Iterable[str]]) -> list[str]:
        """Return the ids, the newest first, that one of the databases hasn't been through.

        `each` has the heads of every database.
        """
        applied = [self.applied(heads) for heads in each]
        return [revision for revision in self.ids if any(revision not in seen for seen in applied)]

    def require_known(self, heads: Iterable[str], *, hint: str = "") -> None:
        """Raise DatabaseAhead when the database stands at a revision that no file has.

        `hint` is added to what the error says to do.
        """
        unknown = self.unknown(heads)
        named = ", ".join(head if head and head.strip() else repr(head) for head in unknown)
        if unknown and not self.ids:
            raise DatabaseAhead(
                f"The database stands at {named}, and this code has no revisions.",
                hint=f"are the revision files deployed, and may this user read {self.script.dir}?",
                unknown=unknown,
            )
        if unknown:
            raise DatabaseAhead(
                f"The database stands at {named}, which this code does not have:"
                " a newer version or another branch of it has migrated this database.",
                hint=f"deploy that version, or downgrade with it first. {hint}".strip(),
                unknown=unknown,
            )

    def require_not_ahead(self, heads: Iterable[str]) -> None:
        """Raise DatabaseAhead as `require_known` does, for a command that can accept it."""
        self.require_known(heads, hint="If this code is to run on it, add `--allow-ahead`.")

    def unknown(self, heads: Iterable[str]) -> list[str]:
        """Return those of `heads` that no file has."""
        return [head for head in heads if head not in self._known]

    def _parents(self, revision: str) -> list[str]:
        script = self.script.get_revision(revision)
        parents = list(_names(script.down_revision))
        for name in _names(script.dependencies):
            parents.append(self.script.get_revision(name).revision)
        return parents


def describe(script: Script) -> Revision:
    """Return Alembic's `Script` as plain values."""
    return Revision(
        revision=script.revision,
        down_revisions=_names(script.down_revision),
        depends_on=_names(script.dependencies),
        branch_labels=tuple(sorted(script.branch_labels)),
        message=" ".join(script.doc.split()).removesuffix("."),
        doc=cleandoc(script.longdoc),  # as Python 3.13 has it in the first place
        path=script.path,
        next_revisions=tuple(sorted(script.nextrev)),
        is_head=script.is_head,
    )


def standing(history: History, heads: Sequence[str]) -> str:
    """Return where a database at `heads` stands, for use in a sentence."""
    return history.titles(heads) if heads else "base (no revision)"


def _names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
