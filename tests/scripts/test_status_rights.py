"""Which rights `status` says that the role lacks, and that they are those which it needs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.command import invoke
from support.history import MakeApp, Revision, add_revision, create_table
from support.ini import MakeIni
from support.invalid_indexes import two_alike
from support.postgresql import execute, restartable_server
from support.sessions import plain_user

A = Revision("aaaa1111", message="add a", **create_table("a"))


def told(ini: Path) -> dict[str, Any]:
    """Return what is told of the only database."""
    result = invoke(ini, "status", "--json")
    assert result.returncode == 0, result.stdout
    (found,) = json.loads(result.stdout)["databases"]
    return dict(found)


def lacking(ini: Path) -> list[dict[str, str]]:
    return list(told(ini)["lacking"])


def whats(ini: Path) -> list[str]:
    return [each["what"] for each in lacking(ini)]


def user_of(url: str) -> str:
    return str(urlsplit(url).username)


@contextmanager
def owner(url: str, *members: str) -> Iterator[str]:
    """Make a role that owns the table `shop`, with members."""
    name = "owner_" + urlsplit(url).path.strip("/")
    two_alike(url, "shop")
    execute(url, f"CREATE ROLE {name}", f"ALTER TABLE shop OWNER TO {name}")
    execute(url, *(f"GRANT {name} TO {member}" for member in members))
    try:
        yield name
    finally:
        execute(url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


THINGS = [
    "CREATE TABLE shop (id int PRIMARY KEY, x int)",
    "CREATE TABLE person (id int PRIMARY KEY)",
    "CREATE TYPE color AS ENUM ('red')",
    "CREATE SEQUENCE counter",
    "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION one(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW seen AS SELECT 1 AS one",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
]
EVERYTHING = """
op.add_column("shop", sa.Column("y", sa.Integer))
op.execute("ALTER TYPE color RENAME VALUE 'red' TO 'blue'")
op.execute("ALTER SEQUENCE counter RESTART")
op.execute("DROP FUNCTION one(); DROP FUNCTION one(int)")
op.execute("CREATE OR REPLACE VIEW seen AS SELECT 1 AS one")
op.create_table("n", sa.Column("p", sa.Integer, sa.ForeignKey("person.id")))
op.execute("CREATE TRIGGER t AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION note()")
op.execute("INSERT INTO person VALUES (1)")
op.execute("CREATE FUNCTION later() RETURNS int LANGUAGE sql AS $$ DELETE FROM n RETURNING 1 $$")
op.execute("CREATE SCHEMA more")
"""


def test_what_is_lacking_is_what_lets_the_run_go_through(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    execute(postgresql_url, *THINGS, "GRANT SELECT ON alembic_version TO public")
    with plain_user(postgresql_server, postgresql_url) as url:
        ini = make_app(url, [Revision("aaaa1111", upgrade=EVERYTHING)])
        found = lacking(ini)
        theirs, database = user_of(postgresql_url), urlsplit(url).path[1:]
        assert [each["what"] for each in found] == [
            f"CREATE on database {database}: a schema or an extension is pending",
            f"ownership of function one(), which belongs to {theirs}",
            f"ownership of function one(integer), which belongs to {theirs}",
            f"ownership of sequence counter, which belongs to {theirs}",
            f"ownership of table shop, which belongs to {theirs}",
            f"ownership of type color, which belongs to {theirs}",
            f"ownership of view seen, which belongs to {theirs}",
            "DELETE, INSERT, UPDATE on table alembic_version",
            "INSERT, REFERENCES, TRIGGER on table person",
        ]
        assert invoke(ini, "upgrade").returncode == 1
        # The last way that is told takes nothing from anybody else's rights.
        execute(postgresql_url, *(each["cure"].split("`")[-2] for each in found))
        assert lacking(ini) == []
        assert invoke(ini, "upgrade").returncode == 0


ALTER = "op.add_column('shop', sa.Column('y', sa.Integer))"


def test_a_member_of_the_owning_role_may_alter_its_tables(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with (
        plain_user(postgresql_server, postgresql_url) as url,
        owner(postgresql_url, user_of(url)),
    ):
        ini = make_app(url, [Revision("aaaa1111", upgrade=ALTER)])
        assert lacking(ini) == []
        assert invoke(ini, "upgrade").returncode == 0


def test_a_member_that_does_not_inherit_has_to_be_that_role(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        member = user_of(url)
        execute(postgresql_url, f"ALTER ROLE {member} NOINHERIT")
        with owner(postgresql_url, member) as theirs:
            execute(postgresql_url, f"GRANT CREATE ON SCHEMA public TO {theirs}")
            ini = make_app(url, [Revision("aaaa1111", upgrade=ALTER)])
            cure = f"ALTER ROLE {member} SET role = {theirs};"
            assert lacking(ini) == [
                {
                    "what": f"ownership of table shop, which belongs to {theirs}",
                    "cure": f"`{cure}` lets it be that role",
                }
            ]
            execute(postgresql_url, cure)
            assert lacking(ini) == []
            assert invoke(ini, "upgrade").returncode == 0


def cure_of_shop(ini: Path) -> str:
    (found,) = {each["cure"] for each in lacking(ini)}
    return found


#: Its index is the table's, and has no owner of its own to be changed.
CHANGES = "op.execute('ALTER TABLE shop ADD y int; ALTER INDEX ix_x SET (fillfactor = 90)')"


def test_no_way_leads_to_the_rights_of_a_superuser(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    admin = user_of(postgresql_url)
    with plain_user(postgresql_server, postgresql_url) as url, owner(postgresql_url) as theirs:
        name = user_of(url)
        execute(postgresql_url, "CREATE INDEX ix_x ON shop (x)")
        ini = make_app(url, [Revision("aaaa1111", upgrade=CHANGES)])
        handed_over = f"`ALTER TABLE shop OWNER TO {name};`"
        assert cure_of_shop(ini) == f"`GRANT {theirs} TO {name};` or {handed_over}"
        execute(postgresql_url, f"GRANT {admin} TO {theirs}")
        assert cure_of_shop(ini) == handed_over
        execute(postgresql_url, f"ALTER TABLE shop OWNER TO {admin}")
        assert cure_of_shop(ini) == handed_over
        execute(postgresql_url, f"ALTER ROLE {name} NOINHERIT", f"GRANT {admin} TO {name}")
        assert cure_of_shop(ini) == handed_over
        execute(postgresql_url, f"REVOKE {admin} FROM {name}", handed_over.strip("`"))
        assert lacking(ini) == []
        assert invoke(ini, "upgrade").returncode == 0


def test_the_owner_of_a_schema_may_drop_what_is_in_it_and_not_alter_it(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    drop = "op.execute('DROP INDEX ix; DROP TYPE color; DROP FUNCTION one(int)')\n"
    with plain_user(postgresql_server, postgresql_url) as url:
        execute(postgresql_url, *THINGS[:-1], "CREATE INDEX ix ON shop (x)")
        execute(postgresql_url, f"ALTER SCHEMA public OWNER TO {user_of(url)}")
        ini = make_app(
            url,
            [
                Revision("aaaa1111", upgrade=drop + "op.drop_table('person')"),
                Revision("bbbb2222", "aaaa1111", upgrade=ALTER),
            ],
        )
        theirs = user_of(postgresql_url)
        assert whats(ini) == [f"ownership of table shop, which belongs to {theirs}"]
        assert invoke(ini, "upgrade", "aaaa1111").returncode == 0
        assert invoke(ini, "upgrade").returncode == 1


def test_row_level_security_stops_an_owner_only_by_force_and_nobody_who_bypasses_it(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        two_alike(postgresql_url, "shop")
        execute(
            postgresql_url,
            f"ALTER TABLE shop OWNER TO {user_of(url)}",
            "ALTER TABLE shop ENABLE ROW LEVEL SECURITY",
        )
        ini = make_app(url, [Revision("aaaa1111", upgrade="op.execute('UPDATE shop SET x = 2')")])
        assert lacking(ini) == []
        execute(postgresql_url, "ALTER TABLE shop FORCE ROW LEVEL SECURITY")
        (found,) = lacking(ini)
        assert found == {
            "what": "row-level security of table shop may hide rows from this role, and its rows"
            " change",
            "cure": f"`ALTER ROLE {user_of(url)} BYPASSRLS;`",
        }
        execute(postgresql_url, found["cure"].strip("`"))
        assert lacking(ini) == []


def test_a_superuser_lacks_nothing(make_app: MakeApp, postgresql_url: str) -> None:
    with owner(postgresql_url):
        execute(postgresql_url, "ALTER TABLE shop FORCE ROW LEVEL SECURITY")
        changes = ALTER + "\nop.execute('UPDATE shop SET x = 2')"
        assert lacking(make_app(postgresql_url, [Revision("aaaa1111", upgrade=changes)])) == []


def test_a_schema_in_which_the_role_may_make_nothing(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        name = url.partition("//")[2].partition(":")[0]
        execute(
            postgresql_url,
            f"REVOKE CREATE ON SCHEMA public FROM {name}",
            "REVOKE CREATE ON SCHEMA public FROM public",
        )
        ini = make_app(url, [A])
        assert lacking(ini) == [
            {
                "what": "CREATE on schema public",
                "cure": f"`GRANT CREATE ON SCHEMA public TO {name};`",
            }
        ]


def test_names_may_have_any_characters(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    odd = """a%b %(c)s "d" 'e' \\Ü"""
    quoted = '"' + odd.replace('"', '""') + '"'
    execute(postgresql_url, f"CREATE TABLE {quoted} (x int)")
    with plain_user(postgresql_server, postgresql_url) as url:
        ini = make_app(url, [Revision("aaaa1111", upgrade=f"op.drop_column({odd!r}, 'x')")])
        execute(postgresql_url, f"ALTER SCHEMA public OWNER TO {user_of(url)}")
        (found,) = lacking(ini)
        owner = user_of(postgresql_url)
        assert found["what"] == f"ownership of table {quoted}, which belongs to {owner}"
        execute(postgresql_url, found["cure"].split("`")[-2])
        assert invoke(ini, "upgrade").returncode == 0


def test_a_standby_is_told_with_what_it_does_not_see(make_app: MakeApp) -> None:
    with restartable_server() as server:
        ini = make_app(server.admin_url, [A])
        assert invoke(ini, "upgrade").returncode == 0
        server.stand_by()
        at_head = invoke(ini, "status").stdout.splitlines()
        add_revision(ini.parent / "migrations", Revision("bbbb2222", "aaaa1111"))
        found = told(ini)
        assert invoke(ini, "upgrade").returncode == 6
    assert "Lock        not known: only the primary server sees it" in at_head
    assert ", a standby, answered in " in at_head[1]
    assert found["is_standby"] is True
    assert found["lacking"] == [
        {
            "what": "a server that can be written: this is a standby",
            "cure": "Name the primary server in `sqlalchemy.url`.",
        }
    ]


def test_a_schema_that_is_missing_is_told_to_an_administrator_too(
    make_app: MakeApp, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [A], {"alembic.version_table_schema": "Own"})
    (found,) = lacking(ini)
    assert found == {
        "what": "schema Own, in which the version table is to be made",
        "cure": '`CREATE SCHEMA "Own";`',
    }
    execute(postgresql_url, found["cure"].strip("`"))
    assert lacking(ini) == []
    assert invoke(ini, "upgrade").returncode == 0


def test_a_role_that_only_reads_is_told_how_to_write(
    make_app: MakeApp, postgresql_server: str, postgresql_url: str
) -> None:
    with plain_user(postgresql_server, postgresql_url) as url:
        execute(postgresql_url, f"ALTER ROLE {user_of(url)} SET default_transaction_read_only = on")
        ini = make_app(url, [A])
        (found,) = lacking(ini)
        assert found["what"] == "transactions that may write: `default_transaction_read_only` is on"
        execute(postgresql_url, found["cure"].strip("`"))
        assert invoke(ini, "upgrade").returncode == 0


def test_what_is_not_written_out_is_told_but_not_to_an_administrator(
    make_app: MakeApp, make_ini: MakeIni, postgresql_server: str, postgresql_url: str
) -> None:
    ini = make_app(postgresql_url, [Revision("aaaa1111", upgrade="op.drop_table(str(1))")])
    assert told(ini)["unread"] == []
    location = str(ini.parent / "migrations")
    with plain_user(postgresql_server, postgresql_url) as url:
        plain = make_ini(
            {"sqlalchemy.url": url, "alembic.script_location": location}, name="plain.ini"
        )
        lines = invoke(plain, "status").stdout.splitlines()
    assert "Not read    aaaa1111: may need other rights, too" in lines
