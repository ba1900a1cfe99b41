"""Which revisions are new: those that this change adds to the default branch."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from ..base.errors import BadRevision
from ..bridge.loading import ScriptHistory
from ..revisions.git import NoGit, commit_of, merge_base, new_files
from ..revisions.rows import upgrade_rows


class Novelty(NamedTuple):
    """The `ids` that are new since `since`, oldest first; or `why` that is not known.

    `branch` is the one that was left at the commit `since`, empty where `since` was named.
    """

    since: str
    ids: tuple[str, ...]
    why: str = ""
    branch: str = ""

    @property
    def told(self) -> str:
        """How many are new, and since when."""
        number = len(self.ids)
        where = f" ({self.branch})" if self.branch else ""
        return f"{number} new revision{'' if number == 1 else 's'} since {self.since}{where}"


def novelty(history: ScriptHistory, ids: Sequence[str], since: str | None) -> Novelty:
    """Return those of `ids` that are new.

    `since` is a revision's id, or `base`, or what git calls a commit. None is the commit at which
    the branch that is checked out left the default branch.

    Raises BadRevision when there is no such revision or commit.
    """
    if since == "base":
        return Novelty("base", tuple(ids))
    if since in history.graph.files:
        old = history.applied([since])
        return Novelty(since, tuple(id_ for id_ in ids if id_ not in old))
    paths = {history.get(id_).path: id_ for id_ in ids}
    folder = os.path.dirname(next(iter(paths), "")) or history.script.dir
    try:
        commit, branch = merge_base(folder) if since is None else (commit_of(folder, since), "")
        if commit is None:
            raise _unknown(str(since))
        new = new_files(paths, commit)
    except NoGit as error:
        if since is not None:
            raise _unknown(since, f", and {error}") from None
        return Novelty("", (), f"it is not known which revisions are new: {error}")
    ids = tuple(paths[path] for path in paths if path in new)
    return Novelty(since or commit[:12], ids, branch=branch)


def rows_after(history: ScriptHistory, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the version rows of a database that went through `ids`."""
    rows: dict[str, None] = {}
    for change in upgrade_rows(history.graph, ids, ()):
        for row in change.removed:
            del rows[row]
        rows |= dict.fromkeys(change.added)
    return tuple(rows)


def rows_before(history: ScriptHistory, ids: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the version rows of a database that has all of `ids` but the `new` ones.

    What comes after a new one is left out too.
    """
    late = history.graph.reach(new, history.graph.children)
    return rows_after(history, [id_ for id_ in ids if id_ not in late])


def _unknown(since: str, why: str = "") -> BadRevision:
    return BadRevision(
        f"`{since}` is neither a revision nor a commit of git{why}.",
        reason="unknown",
        hint="`--since` takes the id of a revision, `base`, or a commit or branch of git.",
    )
