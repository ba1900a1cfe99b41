"""What upgrade and downgrade do to a database, also when something fails."""

from pathlib import Path
from textwrap import dedent

import pytest
from support.database import heads, rows, tables
from support.history import MakeApp, Revision, create_table, foreign_env

from myapp.migrator.base.errors import EnvPyFailed, HalfApplied, MigrationFailed
from myapp.migrator.base.results import Step
from myapp.migrator.base.watcher import Watcher
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.bridge.planned_step import PlannedStep
from myapp.migrator.commands import migration
from myapp.migrator.commands.migration import downgrade, upgrade
from myapp.migrator.config import run_context
from myapp.migrator.run.plan import plan_downgrade
from myapp.migrator.settings.settings import load_settings

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
    Revision("ccc333", "bbb222", message="add c", **create_table("c")),
]


def write_env(ini: Path, before: str = "", after: str = "", options: str = "") -> None:
    """Give the app an env.py that opens its own engine."""
    code = foreign_env(options, before=before, after=after)
    (ini.parent / "migrations" / "env.py").write_text(code)


def test_an_upgrade_runs_every_revision_and_says_what_it_did(
    make_app: MakeApp, database_url: str
) -> None:
    done = upgrade(run_context(make_app(database_url, LINE)))

    assert tables(database_url) == {"a", "b", "c", "alembic_version"}
    assert heads(database_url) == {"ccc333"}
    assert (done.before, done.after, done.standing) == ((), ("ccc333",), "ccc333 (add c)")
    assert [(step.number, step.total, step.revision.revision) for step in done.steps] == [
        (1, 3, "aaa111"),
        (2, 3, "bbb222"),
        (3, 3, "ccc333"),
    ]


def test_each_revision_is_committed_when_it_is_told_as_finished(
    make_app: MakeApp, database_url: str
) -> None:
    told: list[tuple[str, bool, set[str]]] = []

    class Progress(Watcher):
        def step(self, step: Step) -> None:
            is_first_start = step.number == 1 and step.seconds is None
            seen = set() if is_first_start else heads(database_url)
            told.append((step.revision.revision, step.seconds is None, seen))

    settings = load_settings(str(make_app(database_url, LINE)))
    upgrade(build_context(settings, watcher=Progress()))

    assert told == [
        ("aaa111", True, set()),
        ("aaa111", False, {"aaa111"}),
        ("bbb222", True, {"aaa111"}),
        ("bbb222", False, {"bbb222"}),
        ("ccc333", True, {"bbb222"}),
        ("ccc333", False, {"ccc333"}),
    ]


def test_a_downgrade_goes_back_one_revision_or_all_of_them(
    make_app: MakeApp, database_url: str
) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config)

    one = downgrade(config, "-1")
    after_one = tables(database_url)
    rest = downgrade(config, "base")

    assert (one.after, after_one) == (("bbb222",), {"a", "b", "alembic_version"})
    assert (rest.after, rest.standing) == ((), "base (no revision)")
    assert [step.revision.revision for step in rest.steps] == ["bbb222", "aaa111"]
    assert tables(database_url) == {"alembic_version"}


@pytest.mark.parametrize(
    ("start", "target", "is_past"),
    [("heads", "heads", False), ("heads", "+1", False), ("heads", "aaa111", True)],
)
def test_an_upgrade_with_nothing_to_do_does_nothing(
    make_app: MakeApp, database_url: str, start: str, target: str, is_past: bool
) -> None:
    config = run_context(make_app(database_url, LINE))
    upgrade(config, start)

    done = upgrade(config, target)

    assert (done.before, done.after, done.steps) == (("ccc333",), ("ccc333",), ())
    assert done.is_past is is_past


def test_a_downgrade_with_nothing_to_do_creates_nothing(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    done = downgrade(run_context(make_app(sqlite_url, LINE)), "base")

    assert (done.steps, done.is_past) == ((), False)
    assert not (tmp_path / "test.sqlite").exists()


def test_an_upgrade_follows_branches_dependencies_and_merges(
    make_app: MakeApp, database_url: str
) -> None:
    graph = [
        Revision("aaa111", **create_table("a")),
        Revision("bbb222", "aaa111", branch_labels="left", **create_table("b")),
        Revision("ccc333", "aaa111", branch_labels="right", **create_table("c")),
        Revision("ddd444", branch_labels="other", depends_on="left", **create_table("d")),
        Revision("eee555", ("bbb222", "ccc333"), **create_table("e")),
    ]
    config = run_context(make_app(database_url, graph))

    other = upgrade(config, "other@head")
    everything = upgrade(config)

    assert [step.revision.revision for step in other.steps] == ["aaa111", "bbb222", "ddd444"]
    assert other.after == ("ddd444",)
    assert [step.revision.revision for step in everything.steps] == ["ccc333", "eee555"]
    assert heads(database_url) == {"ddd444", "eee555"}


def failing(code: str) -> list[Revision]:
    """Return two revisions, of which the second adds a table `b` and then runs `code`."""
    body = f"{create_table('b')['upgrade']}\n{dedent(code)}"
    return [LINE[0], Revision("bbb222", "aaa111", message="add b", upgrade=body)]


def test_a_failing_revision_is_rolled_back_and_those_before_it_stay(
    make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    app = make_app(database_url, failing("op.execute('INSERT INTO b VALUES (1)')\n1 / 0"))

    with pytest.raises(MigrationFailed) as raised:
        upgrade(run_context(app))

    path = tmp_path / "migrations" / "versions" / "bbb222_.py"
    assert raised.value.message == (
        "Revision bbb222 (add b) failed and was rolled back: ZeroDivisionError: division by zero.\n"
        "The database stands at aaa111 (add a)."
    )
    assert raised.value.hint == f"fix {path} (line 15), then run the command again."
    details = raised.value.details
    (status,) = details.pop("databases")
    assert (status.rows, status.pending) == (("aaa111",), ("bbb222",))
    assert (details.pop("database"), details.pop("schema")) == (
        status.table.database,
        "public" if database_url.startswith("postgresql") else None,
    )
    assert details == {
        "revision": "bbb222",
        "path": str(path),
        "rows": ["aaa111"],
        "done": ["aaa111"],
        "not_recorded": [],
        "not_begun": [],
    }
    assert tables(database_url) == {"a", "alembic_version"}
    assert heads(database_url) == {"aaa111"}


def test_a_refused_statement_is_shown(make_app: MakeApp, database_url: str) -> None:
    app = make_app(database_url, failing("op.execute('INSERT INTO  nowhere\\n VALUES (1)')"))

    with pytest.raises(MigrationFailed) as raised:
        upgrade(run_context(app))

    first = raised.value.message.splitlines()[0]
    assert first.startswith("Revision bbb222 (add b) failed and was rolled back: ")
    assert "nowhere" in first.partition(" (in: ")[0]
    assert first.endswith(" (in: INSERT INTO nowhere VALUES (1)).")


def test_a_failing_downgrade_is_rolled_back(make_app: MakeApp, database_url: str) -> None:
    body = {"upgrade": create_table("b")["upgrade"], "downgrade": "op.drop_table('b')\n1 / 0"}
    app = make_app(database_url, [LINE[0], Revision("bbb222", "aaa111", message="add b", **body)])
    upgrade(run_context(app))

    with pytest.raises(MigrationFailed) as raised:
        downgrade(run_context(app), "base")

    assert raised.value.message == (
        "Revision bbb222 (add b) failed and was rolled back: ZeroDivisionError: division by zero.\n"
        "The database stands at bbb222 (add b)."
    )
    assert tables(database_url) == {"a", "b", "alembic_version"}
    assert heads(database_url) == {"bbb222"}


def test_a_revision_that_exits_is_a_failing_revision(make_app: MakeApp, database_url: str) -> None:
    with pytest.raises(MigrationFailed, match=r"rolled back: SystemExit: 0\."):
        upgrade(run_context(make_app(database_url, failing("raise SystemExit(0)"))))

    assert tables(database_url) == {"a", "alembic_version"}


def test_a_failure_outside_a_transaction_lists_what_was_committed(
    make_app: MakeApp, database_url: str
) -> None:
    code = """
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO b VALUES (1)")
            op.get_bind().execute(sa.text("SELECT 1"))
            op.execute("INSERT INTO b VALUES (2)")
            op.execute("INSERT INTO nowhere VALUES (3)")
    """
    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(make_app(database_url, failing(code))))

    first, *lines = raised.value.message.splitlines()
    assert first.startswith("Revision bbb222 (add b) failed outside a transaction: ")
    if database_url.startswith("postgresql"):
        place, lines = lines[:2], lines[2:]
        assert place == ["LINE 1: INSERT INTO nowhere VALUES (3)", " " * 20 + "^"]
    assert lines == [
        "The database stands at aaa111 (add a). Of bbb222, this was committed and stays:",
        "  CREATE TABLE b ( id INTEGER NOT NULL, PRIMARY KEY (id) )"
        if database_url.startswith("sqlite")
        else "  CREATE TABLE b ( id SERIAL NOT NULL, PRIMARY KEY (id) )",
        "  INSERT INTO b VALUES (1)",
        "  INSERT INTO b VALUES (2)",
        "The list may not be complete.",
    ]
    assert raised.value.details["committed"] == [line.strip() for line in lines[1:-1]]
    assert rows(database_url, "SELECT id FROM b ORDER BY id") == [(1,), (2,)]
    assert heads(database_url) == {"aaa111"}


def test_a_failure_after_an_autocommit_block_lists_only_what_stays(
    make_app: MakeApp, database_url: str
) -> None:
    code = """
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO b VALUES (1)")
        op.execute("INSERT INTO b VALUES (2)")
        1 / 0
    """
    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(make_app(database_url, failing(code))))

    assert raised.value.details["committed"][1:] == ["INSERT INTO b VALUES (1)"]
    assert rows(database_url, "SELECT id FROM b") == [(1,)]


def test_a_failure_in_the_first_statement_outside_a_transaction_has_committed_nothing(
    make_app: MakeApp, database_url: str
) -> None:
    block = "with op.get_context().autocommit_block():\n    op.execute('nonsense')"
    app = make_app(database_url, [LINE[0], Revision("bbb222", "aaa111", upgrade=block)])

    with pytest.raises(MigrationFailed, match=r"^Revision bbb222 \(a change\) failed and was"):
        upgrade(run_context(app))

    assert heads(database_url) == {"aaa111"}


def test_of_many_committed_statements_the_first_hundred_are_listed(
    make_app: MakeApp, sqlite_url: str
) -> None:
    code = """
        with op.get_context().autocommit_block():
            for number in range(150):
                op.execute(f"INSERT INTO b VALUES ({number})")
            1 / 0
    """
    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(make_app(sqlite_url, failing(code))))

    assert len(raised.value.details["committed"]) == 100
    assert raised.value.details["committed"][-1] == "INSERT INTO b VALUES (98)"
    assert raised.value.details["more_committed"] == 51
    assert "\n  INSERT INTO b VALUES (98)\n  and 51 more\n" in raised.value.message


def test_a_commit_that_a_revision_types_itself_is_known(
    make_app: MakeApp, database_url: str
) -> None:
    code = """
        op.execute("COMMIT")
        op.execute("INSERT INTO b VALUES (1)")
        1 / 0
    """
    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(make_app(database_url, failing(code))))

    assert raised.value.details["committed"][1:] == ["INSERT INTO b VALUES (1)"]
    assert rows(database_url, "SELECT id FROM b") == [(1,)]


def test_a_commit_that_fails_has_committed_nothing(make_app: MakeApp, postgresql_url: str) -> None:
    code = """
        op.execute("ALTER TABLE b ADD FOREIGN KEY (id) REFERENCES a DEFERRABLE INITIALLY DEFERRED")
        op.execute("INSERT INTO b VALUES (1)")
    """
    with pytest.raises(MigrationFailed, match="violates foreign key constraint"):
        upgrade(run_context(make_app(postgresql_url, failing(code))))

    assert tables(postgresql_url) == {"a", "alembic_version"}
    assert heads(postgresql_url) == {"aaa111"}


def test_a_revision_is_rolled_back_whole_on_an_engine_of_env_py_too(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, failing("1 / 0"))
    # Python's SQLite driver opens no transaction for DDL on an engine that isn't set up for it.
    write_env(app)

    with pytest.raises(MigrationFailed, match="failed and was rolled back"):
        upgrade(run_context(app))

    assert tables(sqlite_url) == {"a", "alembic_version"}


def test_an_env_py_that_leaves_the_transactions_to_sqlite_has_what_stays_listed(
    make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, failing("1 / 0"))
    write_env(app, before="connection.connection.driver_connection.isolation_level = None")

    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(app))

    assert raised.value.details["committed"] == [
        "CREATE TABLE b ( id INTEGER NOT NULL, PRIMARY KEY (id) )"
    ]
    assert tables(sqlite_url) == {"a", "b", "alembic_version"}


def test_what_may_stay_though_no_statement_is_known_to_is_told_with_the_reason(
    make_app: MakeApp, postgresql_url: str
) -> None:
    code = """
        op.get_bind().connection.cursor().execute("INSERT INTO a VALUES (7)")
        op.get_bind().connection.commit()
        1 / 0
    """
    app = make_app(postgresql_url, [LINE[0], Revision("bbb222", "aaa111", upgrade=dedent(code))])

    with pytest.raises(HalfApplied) as raised:
        upgrade(run_context(app))

    path = app.parent / "migrations/versions/bbb222_.py"
    assert raised.value.message == (
        "Revision bbb222 (a change) failed and may have left something: ZeroDivisionError: division"
        " by zero.\nThe database stands at aaa111 (add a). Of bbb222, something may stay: it has"
        " ended a transaction by itself, or used one that isn't counted."
    )
    assert raised.value.hint == (
        f"look what {path} has left, and undo that by hand; fix the cause in {path} (line 15);"
        " then run the command again."
    )
    assert rows(postgresql_url, "SELECT id FROM a") == [(7,)]


def test_a_second_connection_is_the_reason_why_something_may_stay(
    make_app: MakeApp, postgresql_url: str
) -> None:
    code = f"""
        import psycopg2
        psycopg2.connect({postgresql_url!r}).close()
        1 / 0
    """
    app = make_app(postgresql_url, [LINE[0], Revision("bbb222", "aaa111", upgrade=dedent(code))])

    with pytest.raises(HalfApplied, match="used another connection, or started a program"):
        upgrade(run_context(app))


def test_a_database_that_turns_read_only_after_a_commit_has_what_stays_listed(
    make_app: MakeApp, postgresql_url: str
) -> None:
    code = """
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO a VALUES (7)")
        op.execute("SET TRANSACTION READ ONLY")
        op.execute("INSERT INTO a VALUES (8)")
    """
    app = make_app(postgresql_url, [LINE[0], Revision("bbb222", "aaa111", upgrade=dedent(code))])

    with pytest.raises(HalfApplied, match="read-only transaction") as raised:
        upgrade(run_context(app))

    assert raised.value.details["committed"] == ["INSERT INTO a VALUES (7)"]
    assert raised.value.details["rows"] == ["aaa111"]


def test_an_env_py_with_one_transaction_for_all_revisions_loses_them_all(
    make_app: MakeApp, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, failing("1 / 0"))
    write_env(app)

    with pytest.raises(MigrationFailed) as raised:
        upgrade(run_context(app))

    assert raised.value.message == (
        "Revision bbb222 (add b) failed and was rolled back: ZeroDivisionError: division by zero.\n"
        "The run was one transaction, so 1 revision that had run was rolled back.\n"
        "The database stands at base (no revision)."
    )
    assert tables(postgresql_url) == set()


def test_one_transaction_for_all_revisions_can_be_asked_for(
    make_app: MakeApp, database_url: str
) -> None:
    app = make_app(database_url, failing("1 / 0"))
    env = app.parent / "migrations" / "env.py"
    one = "run_migrations(transaction_per_migration=False)"
    env.write_text(env.read_text().replace("run_migrations()", one))

    with pytest.raises(MigrationFailed, match="The database stands at base"):
        upgrade(run_context(app))

    assert tables(database_url) == set()


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_an_env_py_that_opens_a_transaction_of_its_own_has_persisted_nothing(
    make_app: MakeApp, postgresql_url: str, direction: str
) -> None:
    app = make_app(postgresql_url, LINE)
    if direction == "downgrade":
        upgrade(run_context(app))
    before = tables(postgresql_url)
    write_env(app, before="connection.execute(text('SELECT 1'))")
    run = upgrade if direction == "upgrade" else downgrade
    target = "heads" if direction == "upgrade" else "base"

    with pytest.raises(MigrationFailed) as raised:
        run(run_context(app), target)

    where = "base (no revision)" if direction == "upgrade" else "ccc333 (add c)"
    assert raised.value.message == (
        f"env.py reported success, but nothing was committed: the database stands at {where}."
    )
    assert raised.value.hint == (
        "in env.py, run no statement on the connection before `context.configure()`, or commit it."
    )
    assert tables(postgresql_url) == before


def test_an_env_py_that_hides_a_failure_is_found_out(
    make_app: MakeApp, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, failing("1 / 0"))
    (app.parent / "migrations" / "env.py").write_text(
        "from contextlib import suppress\n"
        "from myapp.migrator.environment import run_migrations\n"
        "with suppress(ZeroDivisionError):\n"
        "    run_migrations()\n"
    )

    with pytest.raises(MigrationFailed) as raised:
        upgrade(run_context(app))

    assert raised.value.message == (
        "env.py reported success, but revision bbb222 (add b) did not end: the database stands at"
        " aaa111 (add a)."
    )
    assert raised.value.hint == "let env.py catch nothing that `context.run_migrations()` raises."


@pytest.mark.parametrize(
    "code",
    [
        "from alembic import context",
        # It reads, and doesn't migrate.
        "from alembic import context\n"
        "try:\n"
        "    context.get_revision_argument()\n"
        "except KeyError:\n"
        "    from myapp.migrator.environment import run_migrations\n"
        "    run_migrations()\n",
    ],
)
def test_an_env_py_that_runs_no_migration_is_found_out(
    make_app: MakeApp, sqlite_url: str, code: str
) -> None:
    app = make_app(sqlite_url, LINE)
    (app.parent / "migrations" / "env.py").write_text(code)

    with pytest.raises(EnvPyFailed, match=r"^env\.py ended without running"):
        upgrade(run_context(app))


def test_an_env_py_that_fails_when_all_is_done_is_told_so(
    make_app: MakeApp, postgresql_url: str
) -> None:
    app = make_app(postgresql_url, LINE)
    write_env(app, after="if 'dont_mutate' not in context.get_context().opts: 1 / 0")

    with pytest.raises(MigrationFailed) as raised:
        upgrade(run_context(app))

    assert raised.value.message == (
        "env.py failed when all revisions had run: ZeroDivisionError: division by zero.\n"
        "The database stands at ccc333 (add c)."
    )


def test_an_upgrade_needs_no_models(make_app: MakeApp, database_url: str) -> None:
    app = make_app(database_url, LINE, {"alembic.target_metadata": "no.such:Base.metadata"})

    upgrade(run_context(app))

    assert heads(database_url) == {"ccc333"}


COUNTING = "with open(__file__ + '.ran', 'a') as file:\n    file.write('x')\n"


@pytest.mark.parametrize("env_py", ["own", "foreign"])
def test_env_py_runs_once_to_look_and_once_to_run(
    env_py: str, make_app: MakeApp, database_url: str, tmp_path: Path
) -> None:
    ini = make_app(database_url, [Revision("aaa111"), Revision("bbb222", "aaa111")])
    if env_py == "foreign":
        write_env(ini)
    path = tmp_path / "migrations" / "env.py"
    path.write_text(COUNTING + path.read_text())
    assert upgrade(run_context(ini)).after == ("bbb222",)
    assert (tmp_path / "migrations" / "env.py.ran").read_text() == "xx"


def test_nothing_is_planned_twice_where_the_database_has_not_moved(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[object] = []

    def plan(*args: object) -> list[PlannedStep]:
        planned.append(args)
        return plan_downgrade(*args)

    ini = make_app(database_url, [Revision("aaa111"), Revision("bbb222", "aaa111")])
    upgrade(run_context(ini))
    monkeypatch.setattr(migration, "plan_downgrade", plan)
    downgrade(run_context(ini), "base")
    assert len(planned) == 1
