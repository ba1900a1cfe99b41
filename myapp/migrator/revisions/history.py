"""The revision history: what the files say, and how a database stands to it.

There is no Alembic here. `loading.ScriptHistory` adds it, for all that only Alembic can answer.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..base.errors import DatabaseAhead
from ..base.results import Revision
from .graph import Graph
from .resolution import resolve


class History:
    """The revisions of one graph; an id that is given to a method has to be one of theirs."""

    def __init__(self, graph: Graph, folder: str) -> None:
        """`folder` is where the migrations are, for an error to name."""
        self.graph = graph
        self._folder = folder

    @property
    def ids(self) -> tuple[str, ...]:
        """Every revision id, the newest first."""
        return self.graph.walk()

    @property
    def longest(self) -> int:
        """How many characters the longest id has."""
        return max(map(len, self.graph.files), default=0)

    def heads(self) -> tuple[str, ...]:
        """Return the ids of the revisions that no other follows."""
        return self.graph.heads

    def get(self, revision: str) -> Revision:
        """Return the revision with exactly this id."""
        file = self.graph.files[revision]
        following = self.graph.next_revisions[revision]
        return Revision(
            revision=revision,
            down_revisions=file.down_revision,
            depends_on=file.depends_on,
            branch_labels=tuple(sorted(self.graph.branch_labels[revision])),
            message=" ".join(file.doc.partition("\n\n")[0].split()).removesuffix("."),
            doc=_without_indentation(file.doc),
            path=file.path,
            next_revisions=tuple(sorted(following)),
            is_head=not following,
        )

    def all(self) -> Iterator[Revision]:
        """Yield every revision, the newest first."""
        return map(self.get, self.ids)

    def find(self, target: str) -> tuple[Revision, ...]:
        """Return the revisions that `target` names; `base` gives none.

        Raises AskAlembic when that is none, or ambiguous, or written in one of the rarer ways.
        """
        return tuple(map(self.get, resolve(self.graph, target)))

    def titles(self, revisions: Iterable[str]) -> str:
        """Return ids with their messages, for use in a sentence."""
        return ", ".join(
            self.get(revision).title if revision in self.graph.files else revision
            for revision in revisions
        )

    def applied(self, rows: Iterable[str]) -> set[str]:
        """Return the ids of all revisions that a database with `rows` has been through.

        A head that no file has is left out.
        """
        return self.graph.applied(row for row in rows if row in self.graph.files)

    def current(self, rows: Iterable[str]) -> tuple[str, ...]:
        """Return where each branch of a database with `rows` stands, dependencies included.

        A head that another branch depends on has no row of its own in the version table.
        """
        return self.graph.current(rows)

    def implied(self, rows: Iterable[str]) -> tuple[str, ...]:
        """Return those of the version table's rows that another row says already."""
        return self.graph.implied(rows)

    def foremost(self, rows: Sequence[str]) -> tuple[str, ...]:
        """Return `rows` without those that are implied: a database stands there as well."""
        implied = self.implied(rows)
        return tuple(row for row in rows if row not in implied)

    def pending(self, each: Iterable[Iterable[str]]) -> list[str]:
        """Return the ids, the newest first, that one of the databases hasn't been through.

        `each` has the rows of every database.
        """
        applied = [self.applied(rows) for rows in each]
        return [revision for revision in self.ids if any(revision not in seen for seen in applied)]

    def require_known(self, rows: Iterable[str], *, hint: str = "") -> None:
        """Raise DatabaseAhead when the database stands at a revision that no file has.

        `hint` is added to what the error says to do.
        """
        unknown = self.unknown(rows)
        named = ", ".join(head if head and head.strip() else repr(head) for head in unknown)
        if unknown and not self.ids:
            raise DatabaseAhead(
                f"The database stands at {named}, and this code has no revisions.",
                hint=f"are the revision files deployed, and may this user read {self._folder}?",
                unknown=unknown,
            )
        if unknown:
            raise DatabaseAhead(
                f"The database stands at {named}, which this code does not have:"
                " a newer version or another branch of it has migrated this database, or the"
                " revision's file was deleted or squashed.",
                hint="deploy that version, or downgrade with it first. If the file is gone, bring"
                " it back, or type `{cmd} stamp --purge REVISION` for the revision that the"
                f" database is like. {hint}".strip(),
                unknown=unknown,
            )

    def require_not_ahead(self, rows: Iterable[str]) -> None:
        """Raise DatabaseAhead as `require_known` does, for a command that can accept it."""
        self.require_known(rows, hint="If this code is to run on it, add `--allow-ahead`.")

    def unknown(self, rows: Iterable[str]) -> list[str]:
        """Return those of `rows` that no file has."""
        return [row for row in rows if row not in self.graph.files]


def standing(history: History, rows: Sequence[str]) -> str:
    """Return where a database with `rows` stands, for use in a sentence."""
    return history.titles(history.foremost(rows)) if rows else "base (no revision)"


def _without_indentation(doc: str) -> str:
    """Return a docstring as Python 3.13 has it in the first place."""
    if "\n " not in doc and "\t" not in doc:
        return doc
    from inspect import cleandoc  # takes longer to import than an answer

    return cleandoc(doc)
