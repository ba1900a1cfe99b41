"""Commands that write the version table and run no migration."""

from pathlib import Path

import pytest
from support.ahead import HINT
from support.database import change, heads, tables
from support.history import MakeApp, Revision, create_table, foreign_env
from support.processes import write_env

from myapp.migrator.base.errors import (
    BadRevision,
    DatabaseAhead,
    MigrationFailed,
    MultipleHeads,
    UsageError,
)
from myapp.migrator.commands.migration import upgrade
from myapp.migrator.commands.offline import stamp_sql
from myapp.migrator.commands.stamping import ensure_version, stamp
from myapp.migrator.config import run_context

GRAPH = [
    Revision("aaa111", message="root", **create_table("a")),
    Revision("bbb222", "aaa111", message="left one", branch_labels="left", **create_table("b")),
    Revision("ccc333", "aaa111", message="right one", branch_labels="right", **create_table("c")),
    Revision("ddd444", "bbb222", message="left two", **create_table("d")),
    Revision("eee555", message="other", depends_on="left", **create_table("e")),
]


def test_a_stamp_writes_the_version_table_alone(make_app: MakeApp, database_url: str) -> None:
    done = stamp(run_context(make_app(database_url, GRAPH)), ["bbb222"])

    assert (done.before, done.after, done.standing) == ((), ("bbb222",), "bbb222 (left one)")
    assert heads(database_url) == {"bbb222"}
    assert tables(database_url) == {"alembic_version"}


@pytest.mark.parametrize(
    ("before", "revisions", "expected"),
    [
        ([], ["bbb222", "ccc333"], {"bbb222", "ccc333"}),
        ([], ["left@head", "right@head"], {"ddd444", "ccc333"}),
        ([], ["heads"], {"ddd444", "ccc333", "eee555"}),
        ([], ["bbb2"], {"bbb222"}),
        (["heads"], ["base"], set()),
        (["ddd444", "ccc333"], ["bbb222"], {"bbb222", "ccc333"}),
        (["ddd444", "ccc333"], ["aaa111"], {"aaa111"}),
        (["bbb222", "ccc333"], ["left@base"], {"ccc333"}),
        (["bbb222"], ["bbb222"], {"bbb222"}),
    ],
)
def test_a_stamp_goes_up_and_down(
    make_app: MakeApp,
    database_url: str,
    before: list[str],
    revisions: list[str],
    expected: set[str],
) -> None:
    config = run_context(make_app(database_url, GRAPH))
    if before:
        stamp(config, before)

    done = stamp(config, revisions)

    assert heads(database_url) == set(done.after) == expected


def test_purge_empties_the_version_table_first(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, GRAPH))
    stamp(config, ["ddd444", "ccc333"])

    stamp(config, ["eee555"], purge=True)

    assert heads(database_url) == {"eee555"}


def test_purge_alone_overrides_a_revision_that_no_file_has(
    make_app: MakeApp, database_url: str
) -> None:
    config = run_context(make_app(database_url, GRAPH))
    stamp(config, ["ccc333"])
    change(database_url, "UPDATE alembic_version SET version_num = 'fff999'")

    with pytest.raises(DatabaseAhead) as raised:
        stamp(config, ["ccc333"])
    assert raised.value.hint == HINT
    assert heads(database_url) == {"fff999"}

    stamp(config, ["ccc333"], purge=True)
    assert heads(database_url) == {"ccc333"}


@pytest.mark.parametrize(
    ("revisions", "message", "hint"),
    [
        (
            ["aaa111", "bbb222"],
            "bbb222 (left one) comes after aaa111 (root), so a database can't be at both.",
            "leave aaa111 out: it counts as applied.",
        ),
        (
            ["eee555", "bbb222"],
            "eee555 (other) comes after bbb222 (left one), so a database can't be at both.",
            "leave bbb222 out: it counts as applied.",
        ),
    ],
)
def test_revisions_that_overlap_are_not_stamped(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    revisions: list[str],
    message: str,
    hint: str,
) -> None:
    config = run_context(make_app(sqlite_url, GRAPH))

    for write in (stamp, stamp_sql):
        with pytest.raises(UsageError) as raised:
            write(config, revisions)
        assert (raised.value.message, raised.value.hint) == (message, hint)
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize(
    ("revisions", "error"), [(["head"], MultipleHeads), (["aaa111", "nope"], BadRevision)]
)
def test_a_stamp_that_names_no_revision_writes_nothing(
    make_app: MakeApp,
    sqlite_url: str,
    tmp_path: Path,
    revisions: list[str],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        stamp(run_context(make_app(sqlite_url, GRAPH)), revisions, purge=True)

    assert not (tmp_path / "test.sqlite").exists()


def test_a_stamped_database_goes_on_from_there(make_app: MakeApp, database_url: str) -> None:
    config = run_context(make_app(database_url, GRAPH))
    change(database_url, "CREATE TABLE a (id INTEGER)", "CREATE TABLE b (id INTEGER)")

    stamp(config, ["bbb222"])
    done = upgrade(config, "ddd444")

    assert [step.revision.revision for step in done.steps] == ["ddd444"]


def test_ensure_version_makes_an_empty_version_table(make_app: MakeApp, database_url: str) -> None:
    done = ensure_version(run_context(make_app(database_url, GRAPH)))

    assert (done.before, done.after, done.standing) == ((), (), "base (no revision)")
    assert tables(database_url) == {"alembic_version"}


def test_ensure_version_leaves_a_version_table_as_it_is(
    make_app: MakeApp, database_url: str
) -> None:
    config = run_context(make_app(database_url, GRAPH))
    stamp(config, ["bbb222"])

    done = ensure_version(config)

    assert (done.before, done.after, done.standing) == (
        ("bbb222",),
        ("bbb222",),
        "bbb222 (left one)",
    )
    assert heads(database_url) == {"bbb222"}


def test_env_py_runs_once_to_look_and_once_to_stamp(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    ini = make_app(database_url, GRAPH)
    path = tmp_path / "migrations" / "env.py"
    path.write_text(
        "with open(__file__ + '.ran', 'a') as file:\n    file.write('x')\n" + path.read_text()
    )
    stamp(run_context(ini), ["heads"])
    assert Path(f"{path}.ran").read_text() == "xx"


def test_env_py_runs_once_to_look_and_once_to_make_the_table(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    ini = make_app(database_url, GRAPH)
    path = tmp_path / "migrations" / "env.py"
    path.write_text(
        "with open(__file__ + '.ran', 'a') as file:\n    file.write('x')\n" + path.read_text()
    )
    ensure_version(run_context(ini))
    assert Path(f"{path}.ran").read_text() == "xx"


@pytest.mark.parametrize("targets", [["bbb222"], ["bbb222", "ccc333"], ["base"]])
def test_a_stamp_that_env_py_does_not_commit_is_an_error(
    make_app: MakeApp, database_url: str, targets: list[str]
) -> None:
    ini = make_app(database_url, GRAPH)
    stamp(run_context(ini), ["ddd444"])
    write_env(
        ini,
        foreign_env(before='connection.execute(text("CREATE TABLE IF NOT EXISTS x (i INTEGER)"))'),
    )

    with pytest.raises(MigrationFailed) as raised:
        stamp(run_context(ini), targets)

    assert (raised.value.exit_code, raised.value.message, raised.value.hint) == (
        1,
        "env.py reported success, but nothing was committed: the database stands at ddd444"
        " (left two).",
        "in env.py, run no statement on the connection before `context.configure()`, or commit it.",
    )
    assert raised.value.details["rows"] == ["ddd444"]
    assert heads(database_url) == {"ddd444"}


def test_a_version_table_that_env_py_does_not_commit_is_an_error(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, GRAPH)
    write_env(
        ini,
        foreign_env(before='connection.execute(text("CREATE TABLE IF NOT EXISTS x (i INTEGER)"))'),
    )

    with pytest.raises(MigrationFailed, match="nothing was committed") as raised:
        ensure_version(run_context(ini))

    assert raised.value.details["rows"] == []
    assert "alembic_version" not in tables(postgresql_url)


def test_what_env_py_commits_at_its_end_is_recorded(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, GRAPH)
    before = 'connection.execute(text("CREATE TABLE IF NOT EXISTS x (i INTEGER)"))'
    write_env(ini, foreign_env(before=before, after="connection.commit()"))

    done = ensure_version(run_context(ini))
    assert (done.before, done.after) == ((), ())
    assert stamp(run_context(ini), ["bbb222"]).after == ("bbb222",)
    assert tables(database_url) == {"alembic_version", "x"}
