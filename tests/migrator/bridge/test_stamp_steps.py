"""A stamp, compared with that of Alembic's own command."""

import alembic.command
import pytest
from support.command import invoke
from support.database import change, heads
from support.graphs import GRAPHS
from support.history import MakeApp, Revision

from myapp.migrator.bridge.loading import load_history
from myapp.migrator.commands.stamping import stamp
from myapp.migrator.config import run_context


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_stamp_leaves_the_rows_that_alembics_leaves(
    graph: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, GRAPHS[graph])
    ids = load_history(run_context(ini)).ids
    for target in ("heads", ids[-1], ids[len(ids) // 2], "base"):
        alembic.command.stamp(run_context(ini).config, "base", purge=True)
        alembic.command.stamp(run_context(ini).config, target)
        expected = heads(sqlite_url)
        alembic.command.stamp(run_context(ini).config, "base", purge=True)
        stamp(run_context(ini), [target])
        assert heads(sqlite_url) == expected


SERVICES = [
    Revision("base1"),
    *(Revision(f"svc{number}", "base1") for number in range(4)),
    Revision("join1", ("svc0", "svc1")),
    Revision("top1", None, branch_labels="top", depends_on="join1"),
    Revision("top2", "top1", depends_on="svc2"),
]


@pytest.mark.parametrize(
    ("rows", "typed", "expected"),
    [
        ((), "heads", {"top2", "svc3"}),
        (("base1", "svc0", "svc1", "join1", "top1"), "heads", {"top2", "svc3"}),
        (("svc0", "svc1", "svc2", "svc3"), "heads", {"top2", "svc3"}),
        (("svc0", "svc1", "svc2"), "join1 svc3", {"join1", "svc2", "svc3"}),
        (("join1", "svc2"), "svc0 svc3", {"svc0", "svc2", "svc3"}),
        (("top2", "svc3"), "join1", {"join1", "svc2", "svc3"}),
        (("top2", "svc3"), "top@base", {"svc3"}),
        (("base1", "svc0"), "base", set()),
    ],
)
def test_a_stamp_leaves_the_rows_that_were_asked_for(
    rows: tuple[str, ...], typed: str, expected: set[str], make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, SERVICES)
    assert invoke(ini, "ensure-version").returncode == 0
    change(sqlite_url, *(f"INSERT INTO alembic_version VALUES ('{row}')" for row in rows))
    result = invoke(ini, "stamp", *typed.split())
    assert (result.returncode, heads(sqlite_url)) == (0, expected), result.stderr
