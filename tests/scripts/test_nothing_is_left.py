"""Bad input to what makes scratch databases: the error, the status, and that nothing is left."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from support import postgresql
from support.command import invoke
from support.database import change, rows, tables
from support.history import MakeApp, Revision, create_table
from support.models import MakeModels
from support.refusal import files
from support.sessions import plain_user, session

LINE = [
    Revision("aaa111", message="add a", **create_table("a")),
    Revision("bbb222", "aaa111", message="add b", **create_table("b")),
]
RAISES = Revision(
    "ccc333",
    "bbb222",
    message="raise",
    upgrade="op.execute('ALTER TABLE a ADD note text')\nraise ValueError('boom')",
)
PLAN, TRACE, DRIFT = "plan", "plan --trace", "drift"
SCRATCH, VERIFY = "scratch -q -- true", "verify --skip lint"
MAKING = (TRACE, SCRATCH, VERIFY, DRIFT)


class Case(SimpleNamespace):
    """What a situation needs: `app(revisions, url=..., **settings)` makes the application.

    `during` is entered while the command runs.
    """

    url: str
    server: str
    app: Callable[..., Path]
    models: MakeModels
    monkeypatch: pytest.MonkeyPatch
    during: AbstractContextManager[Any]
    stack: ExitStack


@pytest.fixture
def case(
    make_app: MakeApp,
    make_models: MakeModels,
    monkeypatch: pytest.MonkeyPatch,
    postgresql_server: str,
    postgresql_url: str,
    tmp_path: Path,
) -> Iterator[Case]:
    """A database at bbb222, whose application has what a situation gives it."""

    def app(*more: Revision, url: str = postgresql_url, **settings: str) -> Path:
        given = {key.replace("__", "."): value for key, value in settings.items()}
        return make_app(url, [*LINE, *more], given)

    change(
        postgresql_url,
        "CREATE TABLE a (id serial PRIMARY KEY)",
        "CREATE TABLE b (id serial PRIMARY KEY)",
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('bbb222')",
    )
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        yield Case(
            url=postgresql_url,
            server=postgresql_server,
            app=app,
            models=make_models,
            monkeypatch=monkeypatch,
            during=nullcontext(),
            stack=stack,
        )


@contextmanager
def nothing_left(server: str, url: str, folder: Path) -> Iterator[None]:
    """See that no database, session, table, row or file is there that wasn't there before."""

    def found() -> tuple[Any, ...]:
        # A template is kept on purpose, for the next run.
        databases = (
            "SELECT datname FROM pg_database WHERE NOT starts_with(datname, 'migrate_template_')"
        )
        sessions = (
            "SELECT datname, query FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND application_name LIKE '%%migrate%%'"
        )
        stands = rows(url, "SELECT version_num FROM alembic_version")
        temporary = sorted(Path(tempfile.gettempdir()).iterdir())
        asked = sorted(rows(server, databases)), rows(server, sessions)
        return *asked, tables(url), stands, temporary, files(folder / "migrations")

    before = found()
    yield
    assert found() == before


def past(case: Case) -> Path:
    return case.app(Revision("ccc333", "bbb222"))


def unreachable(case: Case) -> Path:
    return case.app(url="postgresql://shop@127.0.0.1:9/shop")


def without_createdb(case: Case) -> Path:
    url = case.stack.enter_context(plain_user(case.server, case.url))
    role = url.removeprefix("postgresql://").partition(":")[0]
    change(case.url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    return case.app(Revision("ccc333", "bbb222", **create_table("c")), url=url)


def itself(case: Case) -> Path:
    return case.app(Revision("ccc333", "bbb222"), migrate__scratch_url=case.url)


def itself_in_other_words(case: Case) -> Path:
    """The same server by the other way in which a URL can name it."""
    head, _, query = case.url.partition("?host=")
    other = f"{head}?application_name=x&host={query}"
    return case.app(Revision("ccc333", "bbb222"), migrate__scratch_url=other)


def scratch_server_down(case: Case) -> Path:
    down = "postgresql://shop@127.0.0.1:9/other"
    return case.app(Revision("ccc333", "bbb222"), migrate__scratch_url=down)


def raising(case: Case) -> Path:
    return case.app(RAISES)


def raising_where_it_stands(case: Case) -> Path:
    """It has been changed since it was applied."""
    ini = case.app()
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    path.write_text(path.read_text().replace("def upgrade():", "def upgrade():\n    1 / 0"))
    return ini


def broken_file(case: Case) -> Path:
    ini = case.app(Revision("ccc333", "bbb222"))
    path = ini.parent / "migrations" / "versions" / "ccc333_.py"
    path.write_text(path.read_text() + "\nimport no_such_module\n")
    return ini


def broken_models(case: Case) -> Path:
    return case.app(alembic__target_metadata=case.models("\n1 / 0\n"))


def ahead(case: Case) -> Path:
    ini = case.app()
    (ini.parent / "migrations" / "versions" / "bbb222_.py").unlink()
    return ini


def locked(case: Case) -> Path:
    case.during = session(case.url, "LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
    return case.app(Revision("ccc333", "bbb222"), migrate__lock_timeout="0.1")


def without_pg_locks(case: Case) -> Path:
    """A new database has the rights of the server's template."""
    url = case.stack.enter_context(plain_user(case.server, case.url))
    role = url.removeprefix("postgresql://").partition(":")[0]
    change(case.url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    change(case.server, f"ALTER ROLE {role} CREATEDB")
    template = make_url(case.server).set(database="template1")
    kept = template.render_as_string(hide_password=False)
    change(kept, "REVOKE SELECT ON pg_locks FROM PUBLIC")
    case.stack.callback(change, kept, "GRANT SELECT ON pg_locks TO PUBLIC")
    code = "op.execute('ALTER TABLE a ADD note text')"
    return case.app(Revision("ccc333", "bbb222", upgrade=code), url=url)


def no_linter(case: Case) -> Path:
    case.monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    return case.app(Revision("ccc333", "bbb222", upgrade="op.execute('SELECT 1')"))


GRANT = (
    "No scratch database can be made: permission denied to create database.",
    " CREATEDB` allows it; or name a server where this user may, with `--scratch-url`.",
)
REFUSED = 'connection to server at "127.0.0.1", port 9 failed: Connection refused'
SAME = ("The scratch URL names the live database itself, where nothing may be made.",)
SITUATIONS: list[tuple[Callable[[Case], Path], tuple[str, ...], int, tuple[str, ...]]] = [
    (past, ("plan aaa111", "plan --trace aaa111"), 0, ("which is past aaa111",)),
    (past, ("plan --down fff999", "scratch --at fff999 -- true"), 2, ("no revision `fff999`",)),
    (unreachable, (PLAN, TRACE), 6, (REFUSED, " plan --from REVISION` needs no database")),
    (unreachable, (SCRATCH, VERIFY, DRIFT), 6, (REFUSED, "is the server running")),
    (without_createdb, MAKING, 6, GRANT),
    (without_createdb, (PLAN,), 0, ("1 revision up to heads",)),
    (itself, MAKING, 2, SAME),
    (itself_in_other_words, MAKING, 2, SAME),
    (scratch_server_down, MAKING, 6, (REFUSED, "are host and port in the scratch URL right?")),
    (raising, (SCRATCH,), 1, ("ValueError: boom", "The scratch database stands at bbb222")),
    (raising, (TRACE,), 1, ("ALTER TABLE a ADD note text", "raise) failed in the scratch data")),
    (raising, (VERIFY,), 1, ("ccc333_.py:14: upgrade: error", "ValueError: boom")),
    (raising_where_it_stands, (SCRATCH, DRIFT), 1, ("ZeroDivisionError", "The scratch database")),
    (broken_file, (PLAN, SCRATCH, VERIFY), 2, ("No module named 'no_such_module'", "ccc333_.py")),
    (broken_models, ("verify --step models",), 2, (":6: models: error", "ZeroDivisionError")),
    (broken_models, (DRIFT,), 0, ("No drift",)),  # it needs none
    (ahead, (PLAN, TRACE, DRIFT), 7, ("stands at bbb222, which this code does not have",)),
    (locked, (PLAN, TRACE, DRIFT), 6, ("another session has locked what has to be read",)),
    (without_pg_locks, (TRACE,), 6, ("permission denied for view pg_locks. Hint: GRANT it",)),
    (no_linter, (PLAN, TRACE), 0, ("no linter has looked at the SQL",)),
    (no_linter, ("verify --step lint --since bbb222",), 0, ("no linter is installed",)),
]
CASES = [(make, typed, *more) for make, commands, *more in SITUATIONS for typed in commands]


@pytest.mark.parametrize(("make", "typed", "status", "told"), CASES)
def test_bad_input_leaves_nothing(
    make: Callable[[Case], Path],
    typed: str,
    status: int,
    told: tuple[str, ...],
    case: Case,
    temporary_folder: Path,
) -> None:
    ini = make(case)
    with nothing_left(case.server, case.url, ini.parent), case.during:
        result = invoke(ini, *typed.split())
    text = " ".join((result.stdout + result.stderr).split())
    assert result.returncode == status, text
    for each in told:
        assert each in text
    assert postgresql.PASSWORD not in text
