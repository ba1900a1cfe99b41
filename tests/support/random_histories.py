"""Random histories, as values and as Alembic's own `RevisionMap`."""

from collections.abc import Sequence

from alembic.script.revision import Revision, RevisionMap
from hypothesis import strategies as st

from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.graph import Graph

_SYMBOLS = ["head", "heads", "base"]
_STEPS = ["+1", "-1", "+2", "-2", "+4", "-3", "-0", "+0"]


def revision_file(
    revision: str,
    down_revision: Sequence[str] = (),
    depends_on: Sequence[str] = (),
    branch_labels: Sequence[str] = (),
) -> RevisionFile:
    return RevisionFile(
        f"{revision}.py",
        revision,
        tuple(down_revision),
        tuple(depends_on),
        tuple(branch_labels),
        "",
    )


@st.composite
def histories(draw: st.DrawFn) -> list[RevisionFile]:
    """Up to 30 revisions: lines, branches, merges, dependencies, labels, several bases."""
    reach = draw(st.sampled_from([1, 4, 30]))
    ids: list[str] = []
    labels: list[str] = []
    files: list[RevisionFile] = []
    for number in range(draw(st.integers(1, 30))):
        down: list[str] = []
        needs: list[str] = []
        own: list[str] = []
        if ids and draw(st.integers(0, 9)) != 0:
            merges = draw(st.integers(0, 5)) == 0
            near = ids[-max(reach, 6) if merges else -reach :]
            down = draw(_some(near, 3 if merges else 1))
        if ids and draw(st.integers(0, 4)) == 0:
            needs = draw(_some(ids + labels, 2))
        if draw(st.integers(0, 5)) == 0:
            own = [f"label{number}", f"other{number}"][: draw(st.integers(1, 2))]
        # Many ids begin alike.
        id_ = f"{'abcd'[number % 4]}{draw(st.sampled_from(['000', '001', '']))}{number:02}"
        files.append(revision_file(id_, down, needs, own))
        ids.append(id_)
        labels.extend(own)
    return draw(st.permutations(files)) if draw(st.booleans()) else files


@st.composite
def names(draw: st.DrawFn, files: Sequence[RevisionFile]) -> str:
    """An id, a label, a symbol, a beginning, steps, `branch@…`: some mean something, some don't."""
    ids = [file.revision for file in files]
    labels = [label for file in files for label in file.branch_labels]
    plain = st.sampled_from([*ids, *labels, *(id_[:4] for id_ in ids), *_SYMBOLS])
    name = draw(plain)
    match draw(st.integers(0, 6)):
        case 0:
            return f"{draw(plain)}@{name}"
        case 1 | 2:
            return draw(st.sampled_from(["", name])) + draw(st.sampled_from(_STEPS))
        case 3:
            return f"{name}@{draw(st.sampled_from(_STEPS[:4] + _SYMBOLS))}"
    return name


@st.composite
def standings(draw: st.DrawFn, graph: Graph) -> tuple[str, ...]:
    """The rows of a version table; now and then, such as no upgrade leaves."""
    rows = draw(st.lists(st.sampled_from(list(graph.files)), max_size=3, unique=True))
    if draw(st.integers(0, 9)):
        applied = graph.applied(rows)
        rows = [id_ for id_ in graph.files if id_ in applied]
        rows = [id_ for id_ in rows if applied.isdisjoint(graph.children[id_])]
    return tuple(rows)


def alembic_map(files: Sequence[RevisionFile]) -> RevisionMap:
    """Return what Alembic makes of the same revisions."""
    return RevisionMap(
        lambda: [
            Revision(
                file.revision,
                file.down_revision or None,
                file.depends_on or None,
                file.branch_labels or None,
            )
            for file in files
        ]
    )


def _some(values: Sequence[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)
