"""A version table that this user can't see is not taken for one that isn't there."""

import pytest
from support.command import invoke
from support.database import change
from support.history import MakeApp, Revision


@pytest.mark.parametrize("command", ["current", "upgrade", "stamp a1"])
def test_a_schema_that_may_not_be_used_is_an_error(
    make_app: MakeApp, postgresql_url: str, command: str
) -> None:
    ini = make_app(postgresql_url, [Revision("a1")])
    assert invoke(ini, "upgrade").returncode == 0
    # PostgreSQL passes over a schema that isn't there as over one that may not be used.
    change(postgresql_url, "ALTER SCHEMA public RENAME TO elsewhere")

    done = invoke(ini, *command.split())

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        "Error: The version table can't be looked for: this user may use no schema of its path.\n"
        "Hint:  GRANT USAGE ON SCHEMA public, or the one that you use, to the user in"
        " `sqlalchemy.url`; or create that schema.\n"
    )
