"""A scratch database at the rows of a version table, and runs within it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event
from support.database import heads, rows, tables
from support.history import MakeApp, Revision, create_table
from support.scratches import left_over

from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.commands.migration import downgrade
from myapp.migrator.commands.scratch import in_scratch, scratch
from myapp.migrator.settings.settings import load_settings

FORK = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
    Revision("ccc333", "aaa111", **create_table("c")),
]


@pytest.mark.parametrize("rows", [(), ("ccc333",), ("bbb222", "ccc333")])
def test_it_stands_at_the_rows_that_were_asked_for(
    make_app: MakeApp, database_url: str, rows: tuple[str, ...]
) -> None:
    context = build_context(load_settings(str(make_app(database_url, FORK))))

    with scratch(context, rows) as made:
        assert sorted(made.rows) == list(rows)
        assert (heads(made.url) if rows else set()) == set(rows)


def test_a_run_within_it_leaves_the_configured_database(
    make_app: MakeApp, database_url: str
) -> None:
    context = build_context(load_settings(str(make_app(database_url, FORK))))

    with scratch(context, "bbb222") as made:
        with in_scratch(context, made.url) as there:
            downgrade(there, "aaa111")
        assert "b" not in tables(made.url)
    assert tables(database_url) == set()


def test_it_is_not_made_to_outlive_a_crash(make_app: MakeApp, postgresql_url: str) -> None:
    context = build_context(load_settings(str(make_app(postgresql_url, FORK))))

    with scratch(context, ()) as made:
        assert rows(made.url, "SHOW synchronous_commit") == [("off",)]


@contextmanager
def interrupting(start: str) -> Iterator[None]:
    """Raise KeyboardInterrupt after a statement that begins with `start`, as a signal does."""
    left = [start]

    def interrupt(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if left and statement.startswith(left[0]):
            left.clear()
            raise KeyboardInterrupt

    event.listen(Engine, "after_cursor_execute", interrupt)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", interrupt)
    assert not left


@pytest.mark.parametrize(
    "start",
    [f"{how} DATABASE migrate_{kind}" for how in ("CREATE", "ALTER") for kind in ("s", "t")],
)
@pytest.mark.usefixtures("temporary_folder")
def test_a_signal_while_it_is_made_leaves_none(
    start: str, make_app: MakeApp, postgresql_url: str
) -> None:
    context = build_context(load_settings(str(make_app(postgresql_url, FORK[:2]))))
    before = left_over(postgresql_url)

    with pytest.raises(KeyboardInterrupt), interrupting(start), scratch(context):
        pass

    assert left_over(postgresql_url) <= before
    templates = "SELECT FROM pg_database WHERE starts_with(datname, 'migrate_t') AND datallowconn"
    assert rows(postgresql_url, templates) == []
