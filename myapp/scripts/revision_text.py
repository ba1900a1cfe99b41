"""A revision as text for people, as Alembic writes it."""

from ..migrator.base.results import Revision


def short(revision: Revision) -> str:
    """Return a revision in a line: its id, labels, marks and message."""
    return f"{revision.revision}{_marks(revision)}{_message(revision)}"


def titled(revision: Revision) -> str:
    """Return its id and its message in a line."""
    return f"{revision.revision} {revision.message}".rstrip()


def with_parents(revision: Revision) -> str:
    """Return the same, after the ids of those before it."""
    depends = f" ({', '.join(revision.depends_on)})" if revision.depends_on else ""
    return f"{_parents(revision)}{depends} -> {short(revision)}"


def long(revision: Revision) -> str:
    """Return all that is known of a revision, in several lines."""
    merged = "Merges" if revision.is_merge_point else "Parent"
    lines = [f"Rev: {revision.revision}{_flags(revision)}", f"{merged}: {_parents(revision)}"]
    named = {
        "Also depends on": revision.depends_on,
        "Branches into": revision.next_revisions if revision.is_branch_point else (),
        "Branch names": revision.branch_labels,
    }
    lines += [f"{name}: {', '.join(values)}" for name, values in named.items() if values]
    lines += [f"Path: {revision.path}", ""]
    lines += [f"    {line}".rstrip() for line in revision.doc.splitlines()]
    return "\n".join([*lines, ""])


def _parents(revision: Revision) -> str:
    return ", ".join(revision.down_revisions) or "<base>"


def _marks(revision: Revision) -> str:
    labels = f" ({', '.join(revision.branch_labels)})" if revision.branch_labels else ""
    return labels + _flags(revision)


def _flags(revision: Revision) -> str:
    head = " (head)" if revision.is_head else ""
    branchpoint = " (branchpoint)" if revision.is_branch_point else ""
    mergepoint = " (mergepoint)" if revision.is_merge_point else ""
    return f"{head}{branchpoint}{mergepoint}"


def _message(revision: Revision) -> str:
    return f", {revision.message}" if revision.message else ""
