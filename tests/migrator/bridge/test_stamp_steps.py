"""The steps of a stamp are those of Alembic's own command."""

import inspect

import alembic.command
import pytest
from alembic.script import ScriptDirectory
from support.database import heads
from support.graphs import GRAPHS
from support.history import MakeApp

from myapp.migrator.bridge.loading import load_history
from myapp.migrator.commands.stamping import stamp
from myapp.migrator.config import run_context


def test_alembics_command_takes_its_steps_from_the_same_method() -> None:
    assert "script._stamp_revs(util.to_tuple(destination_revs), rev)" in inspect.getsource(
        alembic.command.stamp
    )
    assert list(inspect.signature(ScriptDirectory._stamp_revs).parameters) == [
        "self",
        "revision",
        "heads",
    ]


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
