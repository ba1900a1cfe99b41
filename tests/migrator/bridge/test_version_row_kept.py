"""A version table that doesn't keep what is written to it."""

from pathlib import Path

import pytest
from support.command import Result, invoke
from support.database import change, heads, tables
from support.history import MakeApp, Revision, create_table

NOT_KEPT = (
    "The version table alembic_version has not kept what was written to it: a trigger, a rule or a"
    " policy on it drops that, or something else has written there"
)
REVISIONS = [
    Revision("a1", **create_table("t1")),
    Revision("b2", "a1", **create_table("t2")),
]
TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def drop_what_is_written(url: str, operation: str) -> None:
    """Put a trigger onto the version table that lets each `operation` be of no effect."""
    if url.startswith("sqlite"):
        body = f"BEFORE {operation} ON alembic_version BEGIN SELECT RAISE(IGNORE); END"
        change(url, f"CREATE TRIGGER drops {body}")
        return
    function = "CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS"
    change(
        url,
        f"{function} 'BEGIN RETURN NULL; END'",
        f"CREATE TRIGGER drops BEFORE {operation} ON alembic_version"
        " FOR EACH ROW EXECUTE FUNCTION drops()",
    )


@pytest.fixture
def ini(make_app: MakeApp, database_url: str) -> Path:
    return make_app(database_url, REVISIONS)


def lines(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(("Error", "Hint"))]


@pytest.mark.parametrize("target", ["heads", "a1"])
def test_the_first_row_that_is_dropped_ends_the_run_and_leaves_nothing(
    target: str, ini: Path, database_url: str
) -> None:
    change(database_url, TABLE)
    drop_what_is_written(database_url, "INSERT")
    result = invoke(ini, "upgrade", target)
    assert (result.returncode, lines(result)) == (
        1,
        [
            f"Error: Revision a1 (a change) failed and was rolled back: {NOT_KEPT}.",
            "Hint:  take that off the version table, and let no revision write there; then run the"
            " command again.",
        ],
    )
    assert tables(database_url) == {"alembic_version"}


def test_a_row_that_does_not_move_on_ends_the_run(ini: Path, database_url: str) -> None:
    assert invoke(ini, "upgrade", "a1").returncode == 0
    drop_what_is_written(database_url, "UPDATE")
    result = invoke(ini, "upgrade")
    assert (result.returncode, lines(result)[0]) == (
        1,
        f"Error: Revision b2 (a change) failed and was rolled back: {NOT_KEPT}.",
    )
    assert tables(database_url) == {"alembic_version", "t1"}
    assert heads(database_url) == {"a1"}


def test_a_row_that_is_put_back_is_found_missing_at_the_end(
    make_app: MakeApp, postgresql_url: str
) -> None:
    """The UPDATE has changed one row, as far as it tells; to ask each time costs a round trip."""
    ini = make_app(postgresql_url, REVISIONS)
    assert invoke(ini, "upgrade", "a1").returncode == 0
    change(
        postgresql_url,
        "CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "CREATE TRIGGER stays BEFORE UPDATE ON alembic_version"
        " FOR EACH ROW EXECUTE FUNCTION stays()",
    )
    result = invoke(ini, "upgrade")
    assert (result.returncode, lines(result)[:2]) == (
        9,
        [
            "Error: Revision b2 (a change) was committed, and the version table has not kept its"
            " row: the database stands at a1 (a change).",
            "Hint:  take the trigger, rule or policy off the version table that drops it, and type"
            f" `myapp-migrate {ini} stamp b2`: all of the revision is there.",
        ],
    )
    assert tables(postgresql_url) == {"alembic_version", "t1", "t2"}


def test_a_row_that_does_not_go_ends_a_downgrade(ini: Path, database_url: str) -> None:
    assert invoke(ini, "upgrade", "a1").returncode == 0
    drop_what_is_written(database_url, "DELETE")
    result = invoke(ini, "downgrade", "base")
    assert (result.returncode, lines(result)[0]) == (
        1,
        f"Error: Revision a1 (a change) failed and was rolled back: {NOT_KEPT}.",
    )
    assert tables(database_url) == {"alembic_version", "t1"}


@pytest.mark.parametrize(
    ("operation", "target"), [("INSERT", "a1"), ("UPDATE", "b2"), ("DELETE", "base")]
)
def test_a_stamp_that_is_not_kept_is_told(
    operation: str, target: str, ini: Path, database_url: str
) -> None:
    change(database_url, TABLE)
    if operation != "INSERT":
        assert invoke(ini, "stamp", "a1").returncode == 0
    before = heads(database_url)
    drop_what_is_written(database_url, operation)
    result = invoke(ini, "stamp", target)
    assert (result.returncode, lines(result)) == (
        2,
        [
            f"Error: {NOT_KEPT}.",
            "Hint:  take that off the version table, and let no revision write there.",
        ],
    )
    assert heads(database_url) == before


#: A trigger that waits for the COMMIT, and then takes the row away.
LATE = [
    "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN DELETE FROM alembic_version; RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON alembic_version DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION late()",
]


@pytest.fixture
def late(make_app: MakeApp, postgresql_url: str) -> Path:
    change(postgresql_url, TABLE, *LATE)
    return make_app(postgresql_url, REVISIONS)


def test_a_row_that_goes_at_the_commit_is_told_as_committed(
    late: Path, postgresql_url: str
) -> None:
    result = invoke(late, "upgrade", "a1")
    assert (result.returncode, lines(result)) == (
        9,
        [
            "Error: Revision a1 (a change) was committed, and the version table has not kept its"
            " row: the database stands at base (no revision).",
            "Hint:  take the trigger, rule or policy off the version table that drops it, and type"
            f" `myapp-migrate {late} stamp a1`: all of the revision is there.",
        ],
    )
    assert tables(postgresql_url) == {"alembic_version", "t1"}


def test_the_next_revision_does_not_stay_when_the_row_went_at_the_commit(
    late: Path, postgresql_url: str
) -> None:
    result = invoke(late, "upgrade")
    assert result.returncode == 9
    assert lines(result)[0] == (
        "Error: Revision a1 (a change) was committed, and the version table has not kept its row:"
        " the database stands at base (no revision). Revision b2 (a change) was rolled back."
    )
    assert tables(postgresql_url) == {"alembic_version", "t1"}


def test_a_trigger_that_keeps_the_row_elsewhere_is_none_of_ours(
    make_app: MakeApp, postgresql_url: str
) -> None:
    change(
        postgresql_url,
        TABLE,
        "CREATE TABLE kept () INHERITS (alembic_version)",
        "CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO kept VALUES (NEW.version_num); RETURN NULL; END'",
        "CREATE TRIGGER keeps BEFORE INSERT ON alembic_version"
        " FOR EACH ROW EXECUTE FUNCTION keeps()",
    )
    ini = make_app(postgresql_url, [Revision("a1"), Revision("b2", "a1")])
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
    assert heads(postgresql_url) == {"b2"}
