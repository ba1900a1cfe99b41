"""How revisions stand to each other: the answers of Alembic's `RevisionMap`, in linear time.

What Alembic refuses, or what would need more of it than is here, raises `AskAlembic`: the caller
then takes Alembic itself, whose answer or error counts.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

from ..base.ask_alembic import AskAlembic
from .facts import RevisionFile
from .ordering import newest_first, reach

#: Names that stand for revisions, and are none's own.
RESERVED = frozenset({"head", "heads", "base"})


class Graph:
    """The revisions of a history, of which every id is spelled out.

    Parents are what `down_revision` and `depends_on` name; down-revisions are the former only.
    """

    def __init__(self, files: Iterable[RevisionFile], *, is_alembics: bool = False) -> None:
        """Build the graph of `files`, which stand in Alembic's order.

        With `is_alembics`, only Alembic is to say what a name means, and what lies between two.

        Raises AskAlembic when they don't form a history.
        """
        self.is_alembics = is_alembics
        self.files: dict[str, RevisionFile] = {}
        #: The revision that each label was given to.
        self.labelled: dict[str, str] = {}
        for file in files:
            if file.revision in self.files or file.revision in RESERVED:
                raise AskAlembic(f"`{file.revision}` is there twice, or has a meaning of its own")
            self.files[file.revision] = file
        for file in self.files.values():
            for label in file.branch_labels:
                if label in self.labelled or label in self.files or label in RESERVED:
                    raise AskAlembic(f"the label `{label}` is taken")
                self.labelled[label] = file.revision
        #: The ids behind `depends_on`, which may name labels.
        self.dependencies: dict[str, tuple[str, ...]] = {}
        #: All revisions that a revision needs at once.
        self.parents: dict[str, tuple[str, ...]] = {}
        self.down_revisions = {id_: file.down_revision for id_, file in self.files.items()}
        #: The revisions whose `down_revision` names it, as `Script.nextrev`, in the files' order.
        self.next_revisions: dict[str, list[str]] = {id_: [] for id_ in self.files}
        #: All revisions that need it at once.
        self.children: dict[str, list[str]] = {id_: [] for id_ in self.files}
        for id_, file in self.files.items():
            self._link(id_, file)
        #: The revisions that none names in its `down_revision`, as `get_heads()`.
        self.heads = tuple(id_ for id_, after in self.next_revisions.items() if not after)
        #: Those that none depends on either: what a database is at after an upgrade to `heads`.
        self.effective_heads = tuple(id_ for id_, after in self.children.items() if not after)
        #: The revisions without `down_revision`.
        self.bases = tuple(id_ for id_, file in self.files.items() if not file.down_revision)
        #: Every revision after its parents.
        self._ascending = self._ascend()

    def _link(self, id_: str, file: RevisionFile) -> None:
        dependencies: tuple[str, ...] = ()
        parents = file.down_revision
        if file.depends_on:
            dependencies = tuple(self.labelled.get(name, name) for name in file.depends_on)
            parents = tuple(dict.fromkeys((*parents, *dependencies)))
        for parent in parents:
            if parent not in self.files:
                raise AskAlembic(f"`{id_}` follows `{parent}`, which is not there")
            self.children[parent].append(id_)
        for parent in file.down_revision:
            self.next_revisions[parent].append(id_)
        self.dependencies[id_] = dependencies
        self.parents[id_] = parents

    def _ascend(self) -> list[str]:
        missing = {id_: len(parents) for id_, parents in self.parents.items()}
        ascending = [id_ for id_, count in missing.items() if not count]
        for id_ in ascending:
            for child in self.children[id_]:
                missing[child] -= 1
                if not missing[child]:
                    ascending.append(child)
        if len(ascending) < len(missing):
            raise AskAlembic("revisions follow each other in a circle")
        return ascending

    @property
    def branch_points(self) -> tuple[str, ...]:
        """The revisions that more than one follows."""
        return tuple(id_ for id_, after in self.next_revisions.items() if len(after) > 1)

    @property
    def merge_points(self) -> tuple[str, ...]:
        """The revisions that follow more than one."""
        return tuple(id_ for id_, file in self.files.items() if len(file.down_revision) > 1)

    @cached_property
    def branch_labels(self) -> dict[str, frozenset[str]]:
        """All labels of each revision, as `Script.branch_labels`: its own and its branch's."""
        if not self.labelled:
            return dict.fromkeys(self.files, frozenset())
        labels: dict[str, frozenset[str]] = {}
        for id_ in self._ascending:
            file = self.files[id_]
            labels[id_] = _union([frozenset(file.branch_labels)], labels, file.down_revision)
        # Alembic also hands labels down to the branch's beginning, but only from a branch that is a
        # single line up to its end.
        handed: dict[str, frozenset[str]] = {}
        for id_ in reversed(self._ascending):
            after = self.next_revisions[id_]
            single = len(self.children[id_]) < 2 and len(self.files[id_].down_revision) < 2
            if single and (not after or after[0] in handed):
                handed[id_] = _union([frozenset(self.files[id_].branch_labels)], handed, after)
                labels[id_] = _union([labels[id_]], handed, [id_])
        return labels

    @cached_property
    def normal_parents(self) -> dict[str, tuple[str, ...]]:
        """The parents, without dependencies that a down-revision has been depending on already."""
        dependents: dict[str, int] = {}
        for dependencies in self.dependencies.values():
            for name in dependencies:
                dependents[name] = dependents.get(name, 0) + 1
        shared = [name for name, count in dependents.items() if count > 1]
        bits = {name: 1 << place for place, name in enumerate(shared)}
        if not dependents:
            return self.parents
        normal: dict[str, tuple[str, ...]] = {}
        inherited: dict[str, int] = {}
        for id_ in self._ascending:
            before = own = 0
            for parent in self.files[id_].down_revision:
                before |= inherited[parent]
            for name in self.dependencies[id_]:
                own |= bits.get(name, 0)
            inherited[id_] = before | own
            # A set, as in Alembic, which leaves the order of several dependencies to it.
            needs = set(self.dependencies[id_])
            needs.difference_update([n for n in self.dependencies[id_] if bits.get(n, 0) & before])
            normal[id_] = tuple(dict.fromkeys((*self.files[id_].down_revision, *needs)))
        return normal

    def applied(self, heads: Iterable[str]) -> set[str]:
        """Return all revisions that a database at `heads` has been through."""
        return self.reach(heads, self.parents)

    def current(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Return where each branch of a database at `heads` stands, as `get_all_current` does.

        A head that another branch depends on has no row of its own. The newest comes first.
        """
        applied = self.applied(heads)
        return tuple(
            id_
            for id_ in self.walk()
            if id_ in applied and applied.isdisjoint(self.next_revisions[id_])
        )

    def implied(self, rows: Iterable[str]) -> tuple[str, ...]:
        """Return those of `rows` that another one of them comes after, or depends on."""
        known = [id_ for id_ in rows if id_ in self.files]
        if len(known) < 2:
            return ()
        below = self.applied(parent for id_ in known for parent in self.parents[id_])
        return tuple(id_ for id_ in known if id_ in below)

    def lineage(self, id_: str) -> set[str]:
        """Return the revision, its ancestors and its descendants by `down_revision` only."""
        return self.reach([id_], self.down_revisions) | self.reach([id_], self.next_revisions)

    def walk(self) -> tuple[str, ...]:
        """Return all revisions, the newest first, in the order of `walk_revisions()`."""
        return self._walk

    @cached_property
    def _walk(self) -> tuple[str, ...]:
        if len(self.bases) == 1 and all(len(after) < 2 for after in self.children.values()):
            return tuple(reversed(self._ascending))  # a line, which has one order only
        return tuple(self.sort(self.files, self.effective_heads))

    def reach(self, start: Iterable[str], edges: Mapping[str, Collection[str]]) -> set[str]:
        """Return all revisions that `edges` lead to from `start`, with `start` itself."""
        known = set(start)
        for id_ in known - self.files.keys():
            raise AskAlembic(f"there is no `{id_}`")
        return reach(known, edges)

    def sort(self, revisions: Collection[str], heads: Iterable[str]) -> list[str]:
        """Return `revisions`, the newest first, in Alembic's order; see `ordering`."""
        in_order = sorted(set(heads), key=self._place.__getitem__)
        ordered = newest_first(revisions, in_order, self.normal_parents, self.normal_children)
        if len(ordered) < len(revisions):
            raise AskAlembic("some revisions are not below the heads")
        return ordered

    @cached_property
    def _place(self) -> dict[str, int]:
        return {id_: place for place, id_ in enumerate(self.files)}

    @cached_property
    def normal_children(self) -> dict[str, list[str]]:
        """The revisions of which each is a normal parent."""
        if self.normal_parents is self.parents:
            return self.children
        children: dict[str, list[str]] = {id_: [] for id_ in self.files}
        for id_, parents in self.normal_parents.items():
            for parent in parents:
                children[parent].append(id_)
        return children


def _union(
    start: list[frozenset[str]], found: Mapping[str, frozenset[str]], ids: Iterable[str]
) -> frozenset[str]:
    """Return one set for all, sharing it where they are equal."""
    result = start[0]
    for id_ in ids:
        if not found[id_] <= result:
            result = result | found[id_] if result else found[id_]
    return result
