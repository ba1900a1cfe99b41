"""`drift`: what was changed by hand, and what only looks like it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import make_url
from support import postgresql
from support.database import change, connection_to, rows
from support.history import MakeApp, Revision, create_table, foreign_env
from support.pool import Pool
from support.processes import write_env
from support.sessions import plain_user

from myapp.migrator.base.drift import Drift
from myapp.migrator.base.errors import LockNotObtained, PendingMigrations, SettingsError
from myapp.migrator.bridge.configuration import build_context
from myapp.migrator.bridge.context import RunContext
from myapp.migrator.commands import drift as drifts
from myapp.migrator.commands.drift import Expected, compare, drift, expected_schema, found_schema
from myapp.migrator.commands.migration import downgrade, upgrade
from myapp.migrator.database.natural_differences import Schema
from myapp.migrator.lock import writer_lock
from myapp.migrator.settings.settings import load_settings

LINE = [
    Revision("aaa111", **create_table("a")),
    Revision("bbb222", "aaa111", **create_table("b")),
]


def context_of(ini: Path) -> RunContext:
    return build_context(load_settings(str(ini)))


def upgraded(ini: Path, target: str = "heads") -> RunContext:
    upgrade(context_of(ini), target)
    return context_of(ini)


def told(found: Drift) -> list[tuple[str, str]]:
    return [(each.change, f"{each.kind} {each.name}") for each in found.differences]


def test_what_is_pending_is_no_difference(make_app: MakeApp, database_url: str) -> None:
    found = drift(upgraded(make_app(database_url, LINE), "aaa111"))
    assert (found.differences, found.table.rows) == ((), ("aaa111",))


@pytest.mark.parametrize("engine", ["", "isolation_level='AUTOCOMMIT'"])
def test_an_env_py_may_make_its_own_engine(
    make_app: MakeApp, postgresql_url: str, engine: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    upgraded(ini)
    write_env(ini, foreign_env(engine=engine))
    change(postgresql_url, "CREATE INDEX by_id ON b (id)")
    assert told(drift(context_of(ini))) == [("added", "index public.by_id")]


def test_a_database_that_was_never_migrated_is_compared_with_an_empty_one(
    make_app: MakeApp, postgresql_url: str
) -> None:
    context = context_of(make_app(postgresql_url, LINE))
    assert told(drift(context)) == []
    change(postgresql_url, "CREATE TABLE t (id int)")
    assert told(drift(context)) == [("added", "table public.t")]


def test_each_change_by_hand_is_told_with_its_statement(
    make_app: MakeApp, database_url: str
) -> None:
    context = upgraded(make_app(database_url, LINE), "bbb222")
    change(database_url, "ALTER TABLE a ADD COLUMN note text", "CREATE INDEX by_id ON b (id)")
    found = drift(context)
    schema = "public." if database_url.startswith("postgresql") else ""
    assert {each.statements for each in found.differences} == {
        (f"DROP INDEX {schema}by_id",),
        (f"ALTER TABLE {schema}a DROP COLUMN note",),
    }


def test_a_table_that_was_renamed_keeps_its_rows(make_app: MakeApp, database_url: str) -> None:
    code = (
        "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('name', sa.Text), sa.UniqueConstraint('name', name='one_name'))\n"
        "op.create_index('by_name', 'users', ['name'])\n"
        "op.execute('CREATE VIEW names AS SELECT name FROM users')\n"
        "op.execute(\"INSERT INTO users (id, name) VALUES (1, 'Ann')\")"
    )
    context = upgraded(make_app(database_url, [*LINE, Revision("ccc333", "bbb222", upgrade=code)]))
    change(database_url, "ALTER TABLE users RENAME TO people", "DROP INDEX by_name")
    found = drift(context).differences
    assert found[0].change == "changed"
    assert [name.rpartition(".")[2] for name in found[0].facts[0]] == ["name", "users", "people"]  # type: ignore[union-attr]
    change(database_url, *(statement for each in found for statement in each.statements))
    assert told(drift(context)) == []
    assert rows(database_url, "SELECT name FROM users") == [("Ann",)]


def test_a_table_like_another_one_that_is_gone_may_be_anything(
    make_app: MakeApp, sqlite_url: str
) -> None:
    context = upgraded(make_app(sqlite_url, LINE))
    change(
        sqlite_url,
        "DROP TABLE a",
        "DROP TABLE b",
        "CREATE TABLE c (id INTEGER NOT NULL PRIMARY KEY)",
    )
    assert [change for change, _ in told(drift(context))] == ["missing", "missing", "added"]


def test_it_stands_where_the_rows_of_two_branches_say(make_app: MakeApp, sqlite_url: str) -> None:
    fork = [*LINE, Revision("ccc333", "aaa111", **create_table("c"))]
    assert drift(upgraded(make_app(sqlite_url, fork))).differences == ()


def test_an_index_that_was_left_invalid_is_told_with_its_cure(
    make_app: MakeApp, postgresql_url: str
) -> None:
    made = "op.create_index('by_id', 'b', ['id'], unique=True)"
    ini = make_app(postgresql_url, [*LINE, Revision("ccc333", "bbb222", upgrade=made)])
    context = upgraded(ini)
    change(
        postgresql_url,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_id'::regclass",
    )
    (found,) = drift(context).differences
    assert (found.facts, found.statements) == (
        (("valid", None, "no"),),
        ("REINDEX INDEX public.by_id",),
    )


def test_a_schema_of_others_is_one_difference_and_one_pattern(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE)
    change(postgresql_url, "CREATE SCHEMA cron", "CREATE TABLE cron.job (id int)")
    context = upgraded(ini)
    assert told(drift(context)) == [("added", "schema cron")]


def test_what_a_setting_names_is_ignored_with_its_parts(
    make_app: MakeApp, postgresql_url: str
) -> None:
    patterns = "\n  table public.old_*\n  * public.b\n"
    ini = make_app(postgresql_url, LINE, {"migrate.drift_ignore": patterns})
    context = upgraded(ini)
    change(postgresql_url, "CREATE TABLE old_1 (id int)", "ALTER TABLE b ADD note text")
    found = drift(context)
    assert (told(found), found.ignored) == ([], 2)


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("tabel public.x", "did you mean the kind `table`? It is followed by a name, as in"),
        ("table", "did you mean the kind `table`? It is followed by a name, as in"),
        ("orders", "write `KIND NAME`, as in `table public.old_*`. The kinds: schema, extension,"),
    ],
)
def test_a_pattern_without_a_kind_is_refused(
    make_app: MakeApp, sqlite_url: str, pattern: str, hint: str
) -> None:
    patterns = f"materialized view public.sums\n  * public.b\n  [tv]* c\n  {pattern}"
    context = upgraded(make_app(sqlite_url, LINE, {"migrate.drift_ignore": patterns}))
    with pytest.raises(SettingsError) as raised:
        drift(context)
    assert raised.value.message == (
        f"`migrate.drift_ignore` has `{pattern}`, which does not begin with a kind of object and a"
        " blank. So it would ignore nothing."
    )
    assert str(raised.value.hint).startswith(hint)


def test_two_databases_are_compared_with_one_expected_schema(
    make_app: MakeApp, postgresql_pool: Pool
) -> None:
    """A fleet needs one scratch database."""
    with postgresql_pool.database() as first, postgresql_pool.database() as second:
        context = upgraded(make_app(first, LINE))
        expected = expected_schema(context)
        assert compared(expected, first) == []
        with pytest.raises(PendingMigrations) as caught:
            compared(expected, second)
        assert caught.value.message == (
            "The database stands at base, and can't be compared with one at bbb222."
        )
        change(
            second,
            "CREATE TABLE a (id serial PRIMARY KEY, note text)",
            "CREATE TABLE alembic_version AS SELECT 'bbb222'::varchar(32) AS version_num",
        )
        assert compared(expected, second) == ["table public.b", "column public.a.note"]


def compared(expected: Expected, url: str) -> list[str]:
    with connection_to(url) as connection:
        differences, _ = compare(expected, found_schema(expected, connection))
    return [f"{each.kind} {each.name}" for each in differences]


def test_the_database_may_refuse_to_be_written(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    context = upgraded(make_app(postgresql_url, LINE))
    name = urlsplit(postgresql_url).path[1:]
    read_only = f"ALTER DATABASE {name} SET default_transaction_read_only"
    postgresql.execute(postgresql_server, f"{read_only} = on")
    try:
        assert told(drift(context, scratch_url=postgresql_server)) == []
    finally:
        postgresql.execute(postgresql_server, f"{read_only} = off")


def test_a_run_that_holds_the_lock_is_not_waited_for(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, LINE, {"migrate.lock_wait": "0"})
    context = upgraded(ini)
    with writer_lock(context_of(ini), lambda sentence: None):
        assert told(drift(context)) == []


def test_a_revision_that_is_applied_meanwhile_counts(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = make_app(sqlite_url, LINE)
    context = upgraded(ini, "aaa111")
    after_expecting(monkeypatch, iter([lambda: upgraded(ini), lambda: None]))
    found = drift(context)
    assert (told(found), found.table.rows) == ([], ("bbb222",))


def test_revisions_that_change_all_the_time_are_an_error(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = make_app(sqlite_url, LINE)
    context = upgraded(ini, "aaa111")
    back = partial(downgrade, context_of(ini), "aaa111")
    after_expecting(monkeypatch, iter([lambda: upgraded(ini), back, lambda: upgraded(ini)]))
    with pytest.raises(LockNotObtained) as caught:
        drift(context)
    assert caught.value.message == (
        "The database is migrated by another run: its revisions changed while it was looked at."
    )


def after_expecting(
    monkeypatch: pytest.MonkeyPatch, changes: Iterator[Callable[[], object]]
) -> None:
    """Change the database each time that the scratch database has been looked at."""

    def expected(*args: Any, **kwargs: Any) -> Expected:
        made = expected_schema(*args, **kwargs)
        next(changes)()
        return made

    monkeypatch.setattr(drifts, "expected_schema", expected)


def test_servers_of_two_releases_are_told(
    make_app: MakeApp, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes its definitions in its own words."""

    def of_another_release(*args: Any, **kwargs: Any) -> Expected:
        made = expected_schema(*args, **kwargs)
        schema = Schema(made.schema.catalogue, made.schema.owner, 99)
        return Expected(made.rows, schema, made.version_table)

    context = upgraded(make_app(sqlite_url, LINE))
    monkeypatch.setattr(drifts, "expected_schema", of_another_release)
    told: list[str] = []
    monkeypatch.setattr(context.watcher, "notice", told.append)
    drift(context)
    assert [sentence.partition(",")[0] for sentence in told] == [
        "the scratch database is one of PostgreSQL 99"
    ]


@pytest.fixture
def app_role(postgresql_server: str, postgresql_url: str) -> Iterator[str]:
    """The URL of the database for a role that owns what it makes there."""
    with plain_user(postgresql_server, postgresql_url) as url:
        yield url
        # What stands in a template would keep the role from being dropped.
        named = "SELECT datname FROM pg_database WHERE starts_with(datname, 'migrate_template_')"
        for (name,) in rows(postgresql_server, named):
            postgresql.execute(postgresql_server, f"DROP DATABASE {name}")


def test_another_role_and_its_rights_are_no_difference(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str, app_role: str
) -> None:
    """The scratch database is the administrator's, who has let the role use `public` here."""
    role = str(make_url(app_role).username)
    grants = f"op.execute('GRANT SELECT ON a TO {role}; GRANT SELECT ON a TO PUBLIC')"
    defaults = "op.execute('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC')"
    line = [*LINE, Revision("ccc333", "bbb222", upgrade=f"{grants}; {defaults}")]
    ini = make_app(app_role, line, {"migrate.scratch_url": postgresql_server})
    context = upgraded(ini)
    assert told(drift(context)) == []
    change(postgresql_url, "REVOKE SELECT ON a FROM PUBLIC", "GRANT INSERT ON b TO PUBLIC")
    assert {each.statements for each in drift(context).differences} == {
        ("GRANT SELECT ON TABLE public.a TO PUBLIC",),
        ("REVOKE INSERT ON TABLE public.b FROM PUBLIC",),
    }


def test_what_default_privileges_have_given_is_told_once(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    found = drift(upgraded(make_app(postgresql_url, LINE)))
    change(postgresql_url, "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC")
    assert told(found) == [
        ("added", f"default privileges FOR ROLE {postgresql.USER} ON TABLES"),
    ]
    assert found.differences[0].statements == (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {postgresql.USER} REVOKE SELECT ON TABLES FROM PUBLIC",
    )


def test_an_owner_that_a_revision_names_is_compared(
    make_app: MakeApp, postgresql_url: str, app_role: str
) -> None:
    role = str(make_url(app_role).username)
    line = [
        *LINE,
        Revision("ccc333", "bbb222", upgrade=f"op.execute('ALTER TABLE a OWNER TO {role}')"),
    ]
    context = upgraded(make_app(postgresql_url, line))
    change(postgresql_url, f"ALTER TABLE b OWNER TO {role}")  # no revision says whose it is
    assert told(drift(context)) == []
    change(postgresql_url, "ALTER TABLE a OWNER TO CURRENT_USER")
    (found,) = drift(context).differences
    assert found.facts == (("owner", role, postgresql.USER),)
    assert found.statements == (f"ALTER TABLE public.a OWNER TO {role}",)
