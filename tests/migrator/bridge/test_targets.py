"""A revision as typed means what Alembic takes it for."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection
from support.faults import IS_FULL, chance
from support.graphs import BRANCHES, DEPENDENT, GRAPHS, LINE, states
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import BadRevision, MigrateError, MultipleHeads, UsageError
from myapp.migrator.bridge.context import RunContext
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.bridge.targets import find
from myapp.migrator.config import run_context
from myapp.migrator.revisions.history import History
from myapp.migrator.revisions.target import Target
from myapp.migrator.run.plan import plan_downgrade, plan_upgrade


class Alembic:
    """What Alembic's own commands do from any state, on an SQLite database in memory."""

    def __init__(self, config: Config, connection: Connection) -> None:
        self._config = config
        self._connection = connection
        config.attributes["connection"] = connection
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")

    def run(self, direction: str, target: str, heads: Sequence[str]) -> list[str] | Exception:
        """Return the revisions that ran, in order, or the error."""
        self._connection.exec_driver_sql("DELETE FROM alembic_version")
        for head in heads:
            self._connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{head}')")
        self._connection.commit()
        ran: list[str] = []
        self._config.attributes["ran"] = ran
        try:
            getattr(command, direction)(self._config, target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            return error
        finally:
            self._connection.rollback()
        return ran


@pytest.fixture(params=GRAPHS)
def graph(request: pytest.FixtureRequest) -> list[Revision]:
    return GRAPHS[request.param]


@pytest.fixture
def context(graph: list[Revision], make_app: MakeApp) -> RunContext:
    keep = "context.config.attributes['ran'].append(revision)"
    body = {"upgrade": f"from alembic import context; {keep}"}
    body["downgrade"] = body["upgrade"]
    recording = [Revision(**vars(each) | body) for each in graph]
    return run_context(make_app("sqlite://", recording))


@pytest.fixture
def alembic(context: RunContext) -> Iterator[Alembic]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        yield Alembic(context.config, connection)
    engine.dispose()


def targets(graph: list[Revision]) -> list[str]:
    ids = [revision.id for revision in graph]
    labels = [str(revision.branch_labels) for revision in graph if revision.branch_labels]
    names = [*labels, ids[0], ids[-1]]
    return [
        "head",
        "heads",
        "base",
        *("+1", "+2", "+9", "-1", "-2", "-9", "head-1", "base+1"),
        *ids,
        *{prefix for each in ids for prefix in (each[:2], each[:3], each[:5])},
        *(label[:5] for label in labels),
        *(f"{name}{end}" for name in names for end in ("", "@head", "@heads", "@base")),
        *(f"{name}{end}" for name in names for end in ("+1", "-1", "@+1", "@+2", "@-1", "@-2")),
    ]


def some(cases: list[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str]]:
    """Return all of a few cases, and 80 of many at random."""
    return cases if IS_FULL else chance("targets").sample(cases, min(len(cases), 80))


def is_ours(direction: str, target: str, heads: Sequence[str], history: History) -> bool:
    """Whether this project means to differ from Alembic here."""
    if is_short(target, history):
        return True  # Alembic takes a single character
    steps = target.rpartition("@")[2]
    if direction == "upgrade" and steps.startswith("+"):
        # Alembic: "Relative revision +1 didn't produce 1 migrations".
        branch, at, _ = target.rpartition("@")
        ends = {each.revision for each in find(history, f"{branch}{at}heads", "")}
        return ends <= history.applied(heads)
    # Alembic warns, and takes the first row of the version table.
    return direction == "downgrade" and target.startswith("-") and len(heads) > 1


def is_short(target: str, history: History) -> bool:
    typed = Target.parse(target)
    known = {"head", "heads", "base", *history.graph.files, *history.graph.labelled}
    return any(0 < len(name or "") < 4 and name not in known for name in (typed.branch, typed.name))


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_every_target_leads_through_the_revisions_that_alembic_runs(
    graph: list[Revision], context: RunContext, alembic: Alembic, direction: str
) -> None:
    history = load_history(context)
    plan = plan_upgrade if direction == "upgrade" else plan_downgrade
    compared = 0
    for heads, target in some(list(product(states(history), targets(graph)))):
        if is_ours(direction, target, heads, history):
            continue
        theirs = alembic.run(direction, target, heads)
        ours: object
        try:
            ours = [step.revision.revision for step in plan(history, target, heads)]
        except MigrateError as error:
            ours = error
        if isinstance(theirs, Exception):
            assert isinstance(ours, MigrateError), (heads, target, theirs)
        else:
            assert ours == theirs, (heads, target)
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize(
    ("target", "heads", "expected"),
    [
        ("+1", ("bbb333",), []),
        ("+5", ("bbb333",), []),
        ("bbb333@+1", ("bbb333",), []),
        ("+1", ("aab222",), ["bbb333"]),
    ],
)
def test_steps_up_from_the_end_are_none(
    make_app: MakeApp, target: str, heads: tuple[str, ...], expected: list[str]
) -> None:
    history = load_history(run_context(make_app("sqlite://", LINE)))

    plan = plan_upgrade(history, target, heads)

    assert [step.revision.revision for step in plan] == expected


@pytest.mark.parametrize(
    ("revisions", "heads", "target", "message", "hint"),
    [
        (
            LINE,
            (),
            "+4",
            "`+4` asks for 4 revisions up, and there are fewer.",
            "`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        ),
        (
            LINE,
            ("aaa111",),
            "aab222+2",
            "`aab222+2` asks for 2 revisions up from `aab222`, and there are fewer.",
            "`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        ),
        (
            BRANCHES,
            ("aaa111",),
            "left@+3",
            "`left@+3` asks for 3 revisions up on `left`, and there are fewer.",
            "`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        ),
        (
            BRANCHES,
            ("aaa111",),
            "+1",
            "`+1` could be several revisions: the history branches on the way.",
            "type what you mean:\n`{cmd} upgrade bbb222` applies bbb222 (a change)."
            "\n`{cmd} upgrade ccc333` applies ccc333 (a change).",
        ),
        (
            BRANCHES,
            ("aaa111",),
            "left@eee555",
            "There is no revision `eee555` on the branch `left`.",
            "`{cmd} history` shows how the revisions follow each other.",
        ),
        (
            LINE,
            (),
            "aa",
            "`aa` is only the beginning of a name: aaa111 (a change), aab222 (a change).",
            "`upgrade` takes four characters or more of an id, or all of a shorter one.",
        ),
        (LINE, (), "bbb334", "There is no revision `bbb334`.", "did you mean `bbb333` (a change)?"),
        (LINE, (), "haed", "There is no revision `haed`.", "did you mean `head`?"),
        (BRANCHES, (), "lefd", "There is no revision `lefd`.", "did you mean `left`?"),
        (BRANCHES, (), "lefd@head", "There is no revision `lefd`.", "did you mean `left`?"),
        (BRANCHES, (), "root", "There is no revision `root`.", "did you mean `aaa111` (root)?"),
        (
            LINE,
            (),
            "zzz@base",
            "There is no revision `zzz`.",
            "`{cmd} history` lists the revisions.",
        ),
        (
            LINE,
            (),
            "",
            "The revision is empty.",
            "is a variable of the shell unset? Name a revision.",
        ),
    ],
)
def test_a_target_of_upgrade_that_leads_nowhere_is_told(
    make_app: MakeApp,
    revisions: list[Revision],
    heads: tuple[str, ...],
    target: str,
    message: str,
    hint: str,
) -> None:
    history = load_history(run_context(make_app("sqlite://", revisions)))

    with pytest.raises(BadRevision) as raised:
        plan_upgrade(history, target, heads)

    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_an_ambiguous_prefix_lists_five_candidates_at_most(make_app: MakeApp) -> None:
    ids = [f"abc{number}" for number in range(7)]
    line = [Revision(each, before) for each, before in zip(ids, [None, *ids], strict=False)]
    history = load_history(run_context(make_app("sqlite://", line)))

    with pytest.raises(BadRevision) as raised:
        find(history, "abc", "show")

    assert raised.value.message == (
        "`abc` could be any of 7 revisions: abc6 (a change), abc5 (a change), abc4 (a change),"
        " abc3 (a change), abc2 (a change) and 2 more."
    )
    assert raised.value.details["candidates"] == ids[::-1]


@pytest.mark.parametrize("target", ["aaa111:head", ":head", "base:aaa111:head"])
def test_a_range_is_refused_where_one_revision_is_needed(make_app: MakeApp, target: str) -> None:
    history = load_history(run_context(make_app("sqlite://", LINE)))

    with pytest.raises(UsageError) as raised:
        plan_upgrade(history, target, ())

    assert raised.value.message == f"`{target}` is a range, and one revision is needed here."


@pytest.mark.parametrize(
    ("heads", "target", "message", "hint"),
    [
        (
            (),
            "head",
            "2 heads: ddd444 (a change), eee555 (a change). `upgrade` can't choose one.",
            'join them with `{cmd} merge heads -m "join"`, or name one.',
        ),
        (
            ("bbb222", "ccc333"),
            "+1",
            "2 heads: bbb222 (a change), ccc333 (a change). `upgrade +1` can't choose one.",
            "type what you mean:\n`{cmd} upgrade bbb222@+1` applies ddd444 (a change)."
            "\n`{cmd} upgrade ccc333@+1` applies eee555 (a change).",
        ),
    ],
)
def test_an_upgrade_that_could_go_up_several_branches_names_them(
    make_app: MakeApp, heads: tuple[str, ...], target: str, message: str, hint: str
) -> None:
    history = load_history(run_context(make_app("sqlite://", BRANCHES)))

    with pytest.raises(MultipleHeads) as raised:
        plan_upgrade(history, target, heads)

    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_a_head_that_another_depends_on_is_named_for_the_merge(make_app: MakeApp) -> None:
    graph = [*DEPENDENT[:2], *DEPENDENT[3:]]
    history = load_history(run_context(make_app("sqlite://", graph)))

    with pytest.raises(MultipleHeads) as raised:
        plan_upgrade(history, "head", ())

    assert raised.value.hint == 'join them with `{cmd} merge aab222 ddd444 -m "join"`, or name one.'


def test_the_branch_that_the_hint_names_can_be_followed(make_app: MakeApp) -> None:
    history = load_history(run_context(make_app("sqlite://", BRANCHES)))

    up = plan_upgrade(history, "bbb222@+1", ("bbb222", "ccc333"))
    down = plan_downgrade(history, "bbb222@-1", ("bbb222", "ccc333"))

    assert [step.revision.revision for step in (*up, *down)] == ["ddd444", "bbb222"]
