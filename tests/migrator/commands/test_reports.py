"""What the reading commands tell, and that they create nothing."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.database import change, heads, tables
from support.history import MakeApp, Revision, create_table

from myapp.migrator.base.errors import (
    BadRevision,
    DatabaseAhead,
    DatabaseUnreachable,
    MultipleHeads,
    PendingMigrations,
    UsageError,
)
from myapp.migrator.commands import comparison, offline, reports
from myapp.migrator.commands.alembic_source import AlembicSource
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.config import run_context

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
    Revision("ccc333", "bbb222", message="add c", **create_table("c")),
    Revision("ddd444", "ccc333", message="add d", **create_table("d")),
]
BRANCHES = [
    Revision("aaa111"),
    Revision("bbb222", "aaa111", branch_labels="left"),
    Revision("ccc333", "aaa111", branch_labels="right"),
    Revision("ddd444", branch_labels="other", depends_on="left"),
]
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/lost"
READING: dict[str, Callable[[Any], object]] = {
    "current": lambda config: reports.current(AlembicSource(config)),
    "heads": lambda config: reports.heads(AlembicSource(config)),
    "history": lambda config: reports.history(AlembicSource(config)),
    "history of a range": lambda config: reports.history(AlembicSource(config), "-1:current"),
    "branches": lambda config: reports.branches(AlembicSource(config)),
    "show": lambda config: reports.show(AlembicSource(config), "aaa111"),
    "show current": lambda config: reports.show(AlembicSource(config), "current"),
    "check": comparison.check,
    "upgrade --sql": lambda config: offline.upgrade_sql(config, "current:head"),
    "downgrade --sql": lambda config: offline.downgrade_sql(config, "current:base"),
    "stamp --sql": lambda config: offline.stamp_sql(config, ["current:head"]),
    "ensure-version --sql": offline.ensure_version_sql,
}


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_makes_no_file(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, command: str
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    before = sorted(tmp_path.rglob("*.sqlite*"))

    # `check` asks for an upgrade, and there is no revision to show.
    with suppress(PendingMigrations, BadRevision):
        READING[command](config)

    assert sorted(tmp_path.rglob("*.sqlite*")) == before == []


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_makes_no_version_table(
    make_app: MakeApp, database_url: str, command: str
) -> None:
    change(database_url, "CREATE TABLE mine (id INTEGER)")
    config = run_context(make_app(database_url, LINE))

    # `check` asks for an upgrade, and there is no revision to show.
    with suppress(PendingMigrations, BadRevision):
        READING[command](config)

    assert tables(database_url) == {"mine"}


def test_current_tells_where_a_database_stands(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, LINE))
    at_base = reports.current(AlembicSource(config))
    upgrade(config, "bbb222")

    found = reports.current(AlembicSource(config))

    assert (at_base.rows, at_base.current) == ((), ())
    assert found.rows == ("bbb222",)
    assert [each.revision for each in found.current] == ["bbb222"]
    assert found.pending == ("ddd444", "ccc333")


def test_current_names_the_branch_that_another_depends_on(
    make_app: MakeApp, database_url: str
) -> None:
    config = run_context(make_app(database_url, BRANCHES))
    upgrade(config, "other@head")

    found = reports.current(AlembicSource(config))

    assert found.rows == ("ddd444",)
    assert sorted(each.revision for each in found.current) == ["bbb222", "ddd444"]
    assert found.pending == ("ccc333",)


def test_current_hides_the_password(make_app: MakeApp, postgresql_url: str) -> None:
    found = reports.current(AlembicSource(run_context(make_app(postgresql_url, LINE))))

    assert found.database.startswith("postgresql+psycopg2://deploy:***@/t_")


def test_check_heads_names_how_many_revisions_are_pending(
    make_app: MakeApp, database_url: str
) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, "ccc333")

    with pytest.raises(PendingMigrations) as raised:
        reports.current(AlembicSource(config), check_heads=True)

    assert raised.value.message == "1 revision pending: the database stands at ccc333 (add c)."
    assert raised.value.hint == "apply them with `{cmd} upgrade`."
    (status,) = raised.value.details.pop("databases")
    assert (status.rows, status.pending) == (("ccc333",), ("ddd444",))
    assert raised.value.details == {"rows": ["ccc333"], "pending": ["ddd444"]}


def test_check_heads_passes_where_one_head_depends_on_another(
    make_app: MakeApp, database_url: str
) -> None:
    # Alembic compares the version table, which lacks a head that another depends on.
    config = run_context(make_app(database_url, BRANCHES))
    upgrade(config)
    assert heads(database_url) == {"ccc333", "ddd444"}

    found = reports.current(AlembicSource(config), check_heads=True)

    assert sorted(each.revision for each in found.current) == ["bbb222", "ccc333", "ddd444"]
    assert found.pending == ()


@pytest.mark.parametrize(
    "read",
    [
        lambda config: reports.current(AlembicSource(config)),
        lambda config: reports.show(AlembicSource(config), "current"),
        lambda config: reports.history(AlembicSource(config), require_database=True),
    ],
)
def test_a_database_that_the_code_does_not_know_is_told(
    make_app: MakeApp, sqlite_url: str, read: Callable[[Any], object]
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    upgrade(config)
    change(sqlite_url, "UPDATE alembic_version SET version_num = 'fff999'")

    with pytest.raises(DatabaseAhead):
        read(config)


def marks(report: Any) -> dict[str, str | None]:
    return {marked.revision.revision: marked.state for marked in report.revisions}


def test_history_marks_each_revision(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, "bbb222")

    report = reports.history(AlembicSource(config))

    assert list(marks(report).items()) == [
        ("ddd444", "pending"),
        ("ccc333", "pending"),
        ("bbb222", "current"),
        ("aaa111", "applied"),
    ]
    assert report.unmarked is None


def test_history_marks_each_branch(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, BRANCHES))
    upgrade(config, "other@head")

    assert marks(reports.history(AlembicSource(config))) == {
        "aaa111": "applied",
        "bbb222": "current",
        "ccc333": "pending",
        "ddd444": "current",
    }


def test_history_of_a_database_yet_to_be_made_is_all_pending(
    make_app: MakeApp, sqlite_url: str
) -> None:
    report = reports.history(AlembicSource(run_context(make_app(sqlite_url, LINE))))

    assert set(marks(report).values()) == {"pending"}


@pytest.mark.parametrize(
    ("rev_range", "expected"),
    [
        ("bbb222:", ["ddd444", "ccc333", "bbb222"]),
        ("bbb:", ["ddd444", "ccc333", "bbb222"]),
        (":bbb222", ["bbb222", "aaa111"]),
        ("bbb222:ccc333", ["ccc333", "bbb222"]),
        ("base:aaa111", ["aaa111"]),
        (":", ["ddd444", "ccc333", "bbb222", "aaa111"]),
        ("current:", ["ddd444", "ccc333"]),
        (":current", ["ccc333", "bbb222", "aaa111"]),
        ("-1:current", ["ccc333"]),
        ("-3:current", ["ccc333", "bbb222", "aaa111"]),
        ("current:+1", ["ddd444", "ccc333"]),
        ("current:current", ["ccc333"]),
    ],
)
def test_history_shows_a_range(
    make_app: MakeApp, database_url: str, rev_range: str, expected: list[str]
) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, "ccc333")

    assert list(marks(reports.history(AlembicSource(config), rev_range))) == expected


@pytest.mark.parametrize(("rev_range", "count"), [(":current", 0), ("current:", 4)])
def test_history_from_a_database_at_base(
    make_app: MakeApp, sqlite_url: str, rev_range: str, count: int
) -> None:
    report = reports.history(AlembicSource(run_context(make_app(sqlite_url, LINE))), rev_range)

    assert len(report.revisions) == count


@pytest.mark.parametrize("rev_range", ["aaa111", "aaa111:bbb222:ccc333", ""])
def test_what_is_no_range_is_refused(make_app: MakeApp, sqlite_url: str, rev_range: str) -> None:
    with pytest.raises(UsageError) as raised:
        reports.history(AlembicSource(run_context(make_app(sqlite_url, LINE))), rev_range)

    assert raised.value.message == f"`{rev_range}` is not a range of revisions."
    assert raised.value.hint == (
        "write `[start]:[end]`, such as `-r base:current`, `-r ab12:` or `-r :head`."
    )


def test_a_range_of_unknown_revisions_is_refused(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, LINE))

    for rev_range in ("nope:", ":nope"):
        with pytest.raises(BadRevision, match="There is no revision `nope`"):
            reports.history(AlembicSource(config), rev_range)


@pytest.mark.parametrize(
    "rev_range",
    ["head:base", "heads:base", "ddd444:bbb222", "ddd4:aaa1", "head:current"],
)
def test_a_range_that_is_the_wrong_way_round_is_turned(
    make_app: MakeApp, sqlite_url: str, rev_range: str
) -> None:
    config = run_context(make_app(sqlite_url, LINE))
    upgrade(config, "bbb222")

    with pytest.raises(UsageError) as raised:
        reports.history(AlembicSource(config), rev_range)

    start, _, end = rev_range.partition(":")
    assert raised.value.message == (
        f"`{rev_range}` is the wrong way round: a range goes from the older revision to the newer."
    )
    assert raised.value.hint == f"write `{end}:{start}`."
    assert reports.history(AlembicSource(config), f"{end}:{start}").revisions


def test_a_range_across_branches_is_refused(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))

    with pytest.raises(BadRevision) as raised:
        reports.history(AlembicSource(config), "bbb222:ccc333")

    assert raised.value.message == (
        "`bbb222:ccc333` can't be reached: it is neither an ancestor nor a descendant on the same"
        " branch."
    )


def test_history_without_a_database_is_unmarked_and_says_why(make_app: MakeApp) -> None:
    report = reports.history(AlembicSource(run_context(make_app(UNREACHABLE, LINE))))

    assert set(marks(report).values()) == {None}
    assert len(report.revisions) == 4
    assert report.unmarked is not None
    assert report.unmarked.startswith("The database can't be used: connection to server at")


def test_history_does_not_wait_long_for_a_server_that_does_not_answer(make_app: MakeApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        app = make_app(f"postgresql://nobody@127.0.0.1:{port}/lost", LINE)
        start = time.monotonic()
        report = reports.history(AlembicSource(run_context(app)))

    assert time.monotonic() - start < 20
    assert report.unmarked is not None
    assert "timeout expired" in report.unmarked


@pytest.mark.parametrize(
    ("rev_range", "require_database"), [(None, True), ("current:", False), (":current", False)]
)
def test_history_that_needs_the_database_fails_without_it(
    make_app: MakeApp, rev_range: str | None, require_database: bool
) -> None:
    with pytest.raises(DatabaseUnreachable):
        reports.history(
            AlembicSource(run_context(make_app(UNREACHABLE, LINE))),
            rev_range,
            require_database=require_database,
        )


def names(found: Any) -> list[str]:
    return [each.revision for each in found]


def test_heads_are_all_that_no_other_follows(make_app: MakeApp, sqlite_url: str) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))

    assert sorted(names(reports.heads(AlembicSource(config)))) == ["bbb222", "ccc333", "ddd444"]
    assert sorted(names(reports.heads(AlembicSource(config), resolve_dependencies=True))) == [
        "ccc333",
        "ddd444",
    ]


def test_branches_are_the_revisions_that_several_follow(make_app: MakeApp, sqlite_url: str) -> None:
    (branch,) = reports.branches(AlembicSource(run_context(make_app(sqlite_url, BRANCHES))))

    assert branch.revision.revision == "aaa111"
    assert names(branch.next_revisions) == ["bbb222", "ccc333"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("bbb222", ["bbb222"]),
        ("bbb", ["bbb222"]),
        ("left", ["bbb222"]),
        ("right@head", ["ccc333"]),
        ("heads", ["ccc333", "ddd444"]),
        ("current", ["aaa111"]),
    ],
)
def test_show_finds_what_is_named(
    make_app: MakeApp, sqlite_url: str, target: str, expected: list[str]
) -> None:
    config = run_context(make_app(sqlite_url, BRANCHES))
    upgrade(config, "aaa111")

    assert sorted(names(reports.show(AlembicSource(config), target))) == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("base", "`base` names no revision."),
        ("current", "`current` names no revision: the database is at base."),
    ],
)
def test_show_of_nothing_is_told(
    make_app: MakeApp, sqlite_url: str, target: str, message: str
) -> None:
    with pytest.raises(BadRevision) as raised:
        reports.show(AlembicSource(run_context(make_app(sqlite_url, LINE))), target)

    assert raised.value.message == message


def test_show_head_of_several_is_told(make_app: MakeApp, sqlite_url: str) -> None:
    with pytest.raises(MultipleHeads, match=r"^3 heads: .* `show head` can't choose one\.$"):
        reports.show(AlembicSource(run_context(make_app(sqlite_url, BRANCHES))), "head")
