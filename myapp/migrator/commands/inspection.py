"""What is wrong with revision files, as their text and their graph tell it."""

from collections.abc import Iterable, Iterator

from ..base.errors import HistoryError
from ..base.results import Revision
from ..base.verdicts import Verdict
from ..bridge.loading import ScriptHistory, broken_files
from ..revisions.allowances import irreversible_in
from ..revisions.answers import heads_to_join as several_heads
from ..revisions.layout import layout_of

_MARK = "`# migrate: irreversible because REASON`"


def broken(history: ScriptHistory) -> list[Verdict]:
    """Return the verdicts on files that can't be imported, or whose comments can't be read."""
    found = [(id_, error, error.message) for id_, error in broken_files(history)]
    found += _misspelt(history)
    return [
        Verdict(
            "imports",
            "error",
            message,
            id_,
            history.get(id_).path,
            error.details["line"] or 1,
        )
        for id_, error, message in found
    ]


def _misspelt(history: ScriptHistory) -> Iterator[tuple[str, HistoryError, str]]:
    for id_ in reversed(history.ids):
        try:
            irreversible_in(history.get(id_).path)
        except HistoryError as error:
            hint = error.hint or ""
            yield id_, error, f"{error.message} {hint[:1].upper()}{hint[1:]}"


def heads_to_join(history: ScriptHistory) -> list[Verdict]:
    """Return a verdict on each head where there are several that one `merge` would join."""
    found = []
    for id_ in several_heads(history):
        revision = history.get(id_)
        layout = layout_of(revision.path)
        found.append(
            Verdict(
                "heads",
                "error",
                "It is one of several heads, which `merge heads` joins.",
                id_,
                revision.path,
                layout.down_revision if layout else 1,
            )
        )
    return found


def irreversible(revisions: Iterable[Revision]) -> dict[str, str]:
    """Return the revisions whose files say that they can't be undone, with the reason."""
    marked = {each.revision: irreversible_in(each.path) for each in revisions}
    return {id_: mark.reason for id_, mark in marked.items() if mark and mark.reason}


def bad_downgrades(revisions: Iterable[Revision]) -> list[Verdict]:
    """Return the verdicts on downgrades that undo nothing.

    One that the file calls irreversible is allowed, with its reason. Where the upgrade does nothing
    either, as in a merge, there is nothing to undo.
    """
    return [found for each in revisions if (found := _bad_downgrade(each))]


def _bad_downgrade(revision: Revision) -> Verdict | None:
    layout, mark = layout_of(revision.path), irreversible_in(revision.path)
    if mark and not mark.reason:
        message = f"The comment gives no reason. Write it as {_MARK}."
        return Verdict("downgrades", "error", message, revision.revision, revision.path, mark.line)
    if layout is None or layout.upgrade.deed == "empty" or layout.downgrade.deed == "works":
        return None
    what = {
        "empty": "`downgrade()` does nothing, and `upgrade()` does something.",
        "raises": "`downgrade()` only raises an exception.",
        "missing": "There is no function `downgrade()`.",
    }[layout.downgrade.deed]
    return Verdict(
        "downgrades",
        "error",
        what if mark else f"{what} Undo it there, or write {_MARK}.",
        revision.revision,
        revision.path,
        layout.downgrade.line,
        allowed=mark.reason if mark else None,
    )


def undocumented(revisions: Iterable[Revision]) -> list[Verdict]:
    """Return the verdicts on files without a docstring."""
    return [
        Verdict(
            "docstrings",
            "error",
            "The file has no docstring, so that nobody reads what it is for.",
            each.revision,
            each.path,
            1,
        )
        for each in revisions
        if (layout := layout_of(each.path)) and not layout.has_docstring
    ]
