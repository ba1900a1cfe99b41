"""What to do about a database that can't be used."""

import os
import re
from pathlib import Path

_AGAIN = "try again in a moment."
_WHEN_OTHERS_HAVE_GONE = "try again when others have disconnected."
#: What a run needs, and the way out where that is not to be had.
TWO_CONNECTIONS = (
    "A run needs two connections at once, one of them for the lock. Where there is only one, set"
    " `migrate.lock = session`."
)
# Patterns for an error's code and the text behind it. The sentences are those of a server that
# speaks English, which name more than the code, and those of libpq, which has no codes.
_HINTS = {
    r"password authentication failed|^28P01": "fix the user or the password in `sqlalchemy.url`.",
    r'role "(.*)" does not exist': "fix the user in `sqlalchemy.url`.",
    r'database "(.*)" does not exist': r"create it (`createdb \1`), or fix `sqlalchemy.url`.",
    r"^3D000": "create the database that `sqlalchemy.url` names, or fix the name.",
    r"no password supplied": "put it into `sqlalchemy.url`, as `${DATABASE_PASSWORD}`.",
    r"local user with ID \d+ does not exist": "name the user in `sqlalchemy.url`: the one that runs"
    " this has no name on this machine.",
    r'certificate file "(.*?)"(?::| does not exist)': r"let this user read `\1`: without another"
    " setting, libpq looks below HOME. Give HOME the folder of this user, or name the files in"
    " `sqlalchemy.url` (`sslrootcert`, `sslcert`, `sslkey`).",
    r"could not translate host name": "fix the host in `sqlalchemy.url`.",
    r"starting up|shutting down|recovery mode|^57P0": _AGAIN,
    r"too many connections for": f"{_WHEN_OTHERS_HAVE_GONE} {TWO_CONNECTIONS}",
    r"too many (connections|clients)|connection slots|^53300": _WHEN_OTHERS_HAVE_GONE,
    r"^42501|permission denied": "GRANT it to the user in `sqlalchemy.url`, or name another user.",
    r"pg_hba.conf": "the server's pg_hba.conf must admit this host, user and database.",
    r"^28000": "fix the user in `sqlalchemy.url`, or let the server's pg_hba.conf admit this host,"
    " user and database.",
    r"SSL|certificate|private key file": "fix `sslmode` and the certificates in `sqlalchemy.url`.",
    r"timeout expired": "are host and port in `sqlalchemy.url` right, and does no firewall drop"
    " what is sent there? With `?connect_timeout=30` it waits longer.",
    r"^08": "a pooler or a proxy has answered: is the server behind it running?",
    r"^\w{5} connection to server": "the server, or a pooler or proxy before it, refuses the"
    " connection: see to what it says.",
    r"connection to server|server closed": "is the server running, and are host"
    " and port in `sqlalchemy.url` right?",
    r"unable to open database file": "this user must be allowed to write the file and its folder.",
    r"not a database": "`sqlalchemy.url` names a file that is no SQLite database.",
}


def hint_for(said: str) -> str:
    """Return what to do about `said`: the code of an error, a blank, and a line of its text."""
    if "no password supplied" in said and (unreadable := _unreadable_passwords()):
        return (
            f"let this user read {unreadable}, or put the password into `sqlalchemy.url`, as"
            " `${DATABASE_PASSWORD}`."
        )
    for pattern, hint in _HINTS.items():
        if match := re.search(pattern, said):
            return match.expand(hint)
    return "`--traceback` before CONFIG_URI shows the statement that was refused."


def _unreadable_passwords() -> str | None:
    """Return the path of libpq's file of passwords if this user may not read it.

    libpq then goes on without it, and says nothing
    (https://www.postgresql.org/docs/current/libpq-pgpass.html). So it is where HOME is another
    user's, as under `sudo`.
    """
    path = Path(os.environ.get("PGPASSFILE") or Path("~/.pgpass").expanduser())
    try:
        with path.open("rb"):
            return None
    except PermissionError:
        return str(path)
    except OSError:
        return None
