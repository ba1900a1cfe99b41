"""What PostgreSQL says of an error besides its first sentence."""

import json
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from support.command import invoke
from support.database import change
from support.history import MakeApp, Revision

from myapp.migrator.database.diagnostics import said_besides
from myapp.migrator.database.failures import error_code, reason_of

SCHEMA = (
    "CREATE TYPE mood AS ENUM ('a')",
    "CREATE TABLE t (a int, b text)",
    "CREATE VIEW v1 AS SELECT a FROM t",
    "CREATE VIEW v2 AS SELECT a FROM t",
)
STANDS = "The database stands at base (no revision)."
RAISE = "DO $$ BEGIN RAISE EXCEPTION E'one\\ntwo' USING HINT = 'p@ss%/w:ord#1 is it'; END $$"


def failing(*statements: str) -> Revision:
    return Revision(
        "aaa111", message="add a", upgrade="\n".join(f"op.execute({each!r})" for each in statements)
    )


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ["ALTER TYPE mood ADD VALUE 'b'", "SELECT 'b'::mood"],
            [
                "unsafe use of new value \"b\" of enum type mood (in: SELECT 'b'::mood).",
                "LINE 1: SELECT 'b'::mood",
                "               ^",
                "HINT: New enum values must be committed before they can be used.",
            ],
        ),
        (
            ["ALTER TABLE t ALTER b TYPE integer"],
            [
                'column "b" cannot be cast automatically to type integer (in: ALTER TABLE t ALTER b'
                " TYPE integer).",
                'HINT: You might need to specify "USING b::integer".',
            ],
        ),
        (
            ["DROP TABLE t"],
            [
                "cannot drop table t because other objects depend on it (in: DROP TABLE t).",
                "DETAIL: view v1 depends on table t",
                "  view v2 depends on table t",
                "HINT: Use DROP ... CASCADE to drop the dependent objects too.",
            ],
        ),
        (
            ["DROP VIEW v2", "DROP TABLE t"],
            [
                "cannot drop table t because other objects depend on it: view v1 depends on table t"
                " (in: DROP TABLE t).",
                "HINT: Use DROP ... CASCADE to drop the dependent objects too.",
            ],
        ),
        (
            ["DO $$ BEGIN PERFORM 1/0; END $$"],
            [
                "division by zero (in: DO $$ BEGIN PERFORM 1/0; END $$).",
                'CONTEXT: SQL statement "SELECT 1/0"',
                "  PL/pgSQL function inline_code_block line 1 at PERFORM",
            ],
        ),
        (
            ["CREATE TABLE n (\n  id int,\n  note txet\n)"],
            [
                'type "txet" does not exist (in: CREATE TABLE n ( id int, note txet )).',
                "LINE 3:   note txet",
                "               ^",
            ],
        ),
        (
            [RAISE],
            [
                f"one (in: {RAISE.replace('p@ss%/w:ord#1', '***')}).",
                "two",
                "HINT: *** is it",
                "CONTEXT: PL/pgSQL function inline_code_block line 1 at RAISE",
            ],
        ),
        (
            ["SELECT 'p@ss%/w:ord#1'::int, 1"],
            [
                "invalid input syntax for type integer: \"***\" (in: SELECT '***'::int, 1).",
                "LINE 1: SELECT '***'::int, 1",
            ],
        ),
    ],
    ids=["enum", "using", "dependants", "one", "function", "third line", "raise", "secret"],
)
def test_all_that_the_server_says_of_a_failed_migration_is_shown(
    statements: list[str], said: list[str], make_app: MakeApp, postgresql_url: str
) -> None:
    change(postgresql_url, *SCHEMA)
    result = invoke(make_app(postgresql_url, [failing(*statements)]), "upgrade")
    error, hint = result.stderr.split("\nHint:  ")
    assert result.returncode == 1
    assert error.split("\n       ") == [
        f"Error: Revision aaa111 (add a) failed and was rolled back: {said[0]}",
        *said[1:],
        STANDS,
    ]
    assert hint.startswith("fix ")


def test_it_stands_in_the_json_too(make_app: MakeApp, postgresql_url: str) -> None:
    change(postgresql_url, *SCHEMA)
    ini = make_app(postgresql_url, [failing("ALTER TABLE t ALTER b TYPE integer")])
    message = json.loads(invoke(ini, "upgrade", "--json").stdout)["error"]["message"]
    assert message.split("\n")[1:] == [
        'HINT: You might need to specify "USING b::integer".',
        STANDS,
    ]


def test_a_very_long_detail_is_cut(make_app: MakeApp, postgresql_url: str) -> None:
    views = [f"CREATE VIEW w{number:03} AS SELECT a FROM t" for number in range(30)]
    change(postgresql_url, *SCHEMA, *views)
    result = invoke(make_app(postgresql_url, [failing("DROP TABLE t")]), "upgrade")
    lines = result.stderr.splitlines()
    assert lines[1] == "       DETAIL: view v1 depends on table t"
    assert lines[21] == "         ... (12 more lines)"
    assert lines[22].startswith("       HINT: Use DROP ... CASCADE")


def test_a_failure_outside_a_transaction_has_it_too(make_app: MakeApp, postgresql_url: str) -> None:
    change(postgresql_url, *SCHEMA)
    code = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE TABLE left_behind (i int)')\n"
        "    op.execute('ALTER TABLE t ALTER b TYPE integer')"
    )
    result = invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=code)]), "upgrade")
    assert result.returncode == 9
    assert '\n       HINT: You might need to specify "USING b::integer".\n' in result.stderr


def test_a_failure_outside_any_migration_has_it_too(
    make_app: MakeApp, postgresql_url: str, tmp_path: Path
) -> None:
    change(
        postgresql_url,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'not here' USING HINT = 'ask Ann'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON alembic_version EXECUTE FUNCTION refuse()",
    )
    result = invoke(make_app(postgresql_url, [Revision("aaa111")]), "stamp", "aaa111")
    assert "not here" in result.stderr
    assert "\n       HINT: ask Ann\n" in result.stderr


# Other drivers


class OfAsyncpg(Exception):
    """An error with the attributes of asyncpg's."""

    sqlstate = "2BP01"
    detail = "view v1 depends\nview v2 depends"
    hint = "Use CASCADE."
    context = None
    position = "7"


OF_PG8000 = Exception(
    {"S": "ERROR", "C": "2BP01", "M": "no", "D": "v1\nv2", "H": "Use CASCADE.", "P": "7"}
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OfAsyncpg("no"),
            "\nAt character 7 of the statement.\nDETAIL: view v1 depends\n  view v2 depends\n"
            "HINT: Use CASCADE.",
        ),
        (OF_PG8000, "\nAt character 7 of the statement.\nDETAIL: v1\n  v2\nHINT: Use CASCADE."),
        (
            Exception("no\nDETAIL:  v1\nv2\nHINT:  Use CASCADE.\n"),
            "\nDETAIL: v1\n  v2\nHINT: Use CASCADE.",
        ),
        (Exception("no"), ""),
    ],
    ids=["asyncpg", "pg8000", "a text", "nothing"],
)
def test_what_another_driver_has_is_shown(error: Exception, said: str) -> None:
    wrapped = DBAPIError("DROP TABLE t", None, error)
    assert said_besides(wrapped) == said
    assert reason_of(wrapped) == "no (in: DROP TABLE t)"


def test_the_code_of_another_driver_is_known() -> None:
    for error in (OfAsyncpg("no"), OF_PG8000):
        assert error_code(DBAPIError("", None, error)) == "2BP01"
