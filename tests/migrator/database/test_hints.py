"""What libpq says before any server does, and what to do about it."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.exc import DBAPIError
from support.answers import answering, refusal
from support.command import invoke
from support.history import MakeApp, Revision

from myapp.migrator.base.errors import DatabaseUnreachable
from myapp.migrator.database.failures import database_failed


def libpq_says(dsn: str, home: Path, uid: int | None = None) -> str:
    """Return libpq's text of a failed connection, in another HOME, for another user."""
    code = (
        "import os, sys, psycopg2\n"
        "if sys.argv[2:]: os.setuid(int(sys.argv[2]))\n"
        "try: psycopg2.connect(sys.argv[1])\n"
        "except psycopg2.Error as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, dsn, *([] if uid is None else [str(uid)])],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(home)},
    )
    return done.stdout


def told(said: str) -> DatabaseUnreachable:
    found = database_failed(DBAPIError("", None, psycopg2.OperationalError(said)))
    assert isinstance(found, DatabaseUnreachable)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_user_without_a_name_is_told_to_name_one() -> None:
    error = told(libpq_says("host=/nowhere dbname=shop", Path("/"), 54321))
    assert error.message == "The database can't be used: local user with ID 54321 does not exist."
    assert error.hint == (
        "name the user in `sqlalchemy.url`: the one that runs this has no name on this machine."
    )
    assert not error.retryable


def test_certificates_of_another_users_home_are_named(tmp_path: Path) -> None:
    (tmp_path / ".postgresql").symlink_to(tmp_path / ".postgresql")  # nobody can look into it
    with answering(b"", tls=b"S") as url:
        error = told(libpq_says(f"{url}?sslmode=require", tmp_path))
    path = tmp_path / ".postgresql" / "postgresql.crt"
    assert f'could not open certificate file "{path}"' in error.message
    assert error.hint == (
        f"let this user read `{path}`: without another setting, libpq looks below HOME. Give HOME"
        " the folder of this user, or name the files in `sqlalchemy.url` (`sslrootcert`, `sslcert`,"
        " `sslkey`)."
    )
    assert not error.retryable


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_file_of_passwords_in_another_users_home_is_named(tmp_path: Path) -> None:
    said = 'connection to server at "h" failed: fe_sendauth: no password supplied'
    assert told(said).hint == "put it into `sqlalchemy.url`, as `${DATABASE_PASSWORD}`."
    assert not told(said).retryable
    (tmp_path / ".pgpass").touch(0o600)
    tmp_path.chmod(0o700)
    code = (
        "import os, sys\n"
        "from myapp.migrator.database.hints import hint_for\n"
        "os.setuid(54321)\n"
        "print(hint_for(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, said],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    assert done.stdout == (
        f"let this user read {tmp_path}/.pgpass, or put the password into `sqlalchemy.url`, as"
        " `${DATABASE_PASSWORD}`.\n"
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("28P01", "fix the user or the password in `sqlalchemy.url`."),
        (
            "28000",
            "fix the user in `sqlalchemy.url`, or let the server's pg_hba.conf admit this host,"
            " user and database.",
        ),
        ("3D000", "create the database that `sqlalchemy.url` names, or fix the name."),
        ("57P03", "try again in a moment."),
        ("53300", "try again when others have disconnected."),
        ("42501", "GRANT it to the user in `sqlalchemy.url`, or name another user."),
        (
            "XX000",
            "the server, or a pooler or proxy before it, refuses the connection: see to what it"
            " says.",
        ),
        ("08P01", "a pooler or a proxy has answered: is the server behind it running?"),
    ],
)
def test_a_hint_fits_the_code_whatever_the_language(
    code: str, hint: str, make_app: MakeApp
) -> None:
    with answering(refusal(code, "нет", severity="ВАЖНО")) as url:
        result = invoke(make_app(url, [Revision("aaa111")]), "upgrade")
    assert result.returncode == 6
    assert result.stderr.splitlines()[0].endswith(f" failed: ВАЖНО: нет (SQLSTATE {code}).")
    assert result.stderr.splitlines()[1:] == [f"Hint:  {hint}"]
