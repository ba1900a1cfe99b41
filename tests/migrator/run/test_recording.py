"""A run that seems to have ended well is held against the version table."""

from support.command import invoke
from support.database import heads
from support.history import MakeApp, Revision


def test_a_revision_that_writes_to_the_version_table_itself_is_an_error(
    make_app: MakeApp, database_url: str
) -> None:
    writes = "op.execute(\"INSERT INTO alembic_version VALUES ('zzz999')\")"
    ini = make_app(database_url, [Revision("a1", message="first", upgrade=writes)])

    done = invoke(ini, "upgrade")

    assert (done.returncode, done.stdout) == (9, "")
    assert (
        "Error: The run was committed, and the version table now holds zzz999, which no revision"
        " file has: the database stands at " in done.stderr
    )
    assert "Hint:  let no revision write to the version table. `myapp-migrate" in done.stderr
    assert "stamp --purge a1` takes out what it wrote, and a1 stays applied." in done.stderr
    assert invoke(ini, "stamp", "--purge", "a1").returncode == 0
    assert heads(database_url) == {"a1"}
    assert invoke(ini, "upgrade").returncode == 0
