"""Servers, poolers and proxies that refuse a connection, in any language and encoding."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg2
import pytest
from sqlalchemy import make_url
from support import postgresql
from support.answers import IN_FULL, answering, refusal
from support.command import Result, invoke
from support.history import MakeApp, Revision, create_table
from support.pgbouncer import PROGRAM, pooled
from support.postgresql import TRANSLATED, Locale
from support.processes import Start, seconds_of, write_env

from myapp.migrator.database.refusal import is_answer, refusal_of

LINE = [Revision("aaa111", message="add a", **create_table("a"))]
FIX_USER = "Hint:  fix the user or the password in `sqlalchemy.url`.\n"

WRONG_PASSWORD = {
    "English": refusal("28P01", 'password authentication failed for user "deploy"', **IN_FULL),
    "German": refusal("28P01", "Passwort-Authentifizierung fehlgeschlagen", **IN_FULL),
    "Russian, KOI8-R": refusal(
        "28P01", "не прошёл проверку", severity="ВАЖНО", encoding="koi8-r", **IN_FULL
    ),
    "French, Latin-1": refusal("28P01", "échouée", encoding="latin-1", **IN_FULL),
    "Turkish": refusal("28P01", "parola yok", severity="ÖLÜMCÜL (FATAL)", **IN_FULL),
    "Chinese": refusal("28P01", "密码验证失败", severity="致命错误", **IN_FULL),
    "a pooler": refusal("28P01", "password authentication failed"),
}
NO_ROLE = {
    "English": refusal("28000", 'role "deploy" does not exist', **IN_FULL),
    "Russian, KOI8-R": refusal(
        "28000", 'роль "deploy" не существует', severity="ВАЖНО", encoding="koi8-r", **IN_FULL
    ),
}
FINAL = {f"password, {name}": answer for name, answer in WRONG_PASSWORD.items()} | {
    f"role, {name}": answer for name, answer in NO_ROLE.items()
}
PASSING = {
    "no role, says a proxy": refusal("28000", 'role "deploy" does not exist'),
    "no database yet": refusal("3D000", 'database "shop" does not exist', **IN_FULL),
    "no database yet, German": refusal("3D000", "Datenbank »shop« existiert nicht", **IN_FULL),
    "starting up, French": refusal("57P03", "le système démarre", encoding="latin-1", **IN_FULL),
    "too many, Russian": refusal(
        "53300", "слишком много", severity="ВАЖНО", encoding="koi8-r", **IN_FULL
    ),
    "PgBouncer": refusal("08P01", "pgbouncer cannot connect to server"),
    "pgpool": refusal("57000", "all backend nodes are down"),
    "a cloud's proxy": refusal("XX000", "Tenant or user not found"),
    "hangs up": b"",
    "no server of PostgreSQL": b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
}


@pytest.mark.parametrize("answer", FINAL.values(), ids=FINAL)
@pytest.mark.parametrize("command", [["upgrade", "--wait-db", "20"], ["wait", "--timeout", "20"]])
def test_what_waiting_cannot_mend_fails_at_once_in_any_language(
    answer: bytes, command: list[str], make_app: MakeApp
) -> None:
    results: list[Result] = []
    with answering(answer) as url:
        ini = make_app(url, LINE)
        seconds = seconds_of(lambda: results.append(invoke(ini, *command)))
    (result,) = results
    assert result.returncode == 6, result.stderr
    assert seconds < 5
    assert "waiting" not in result.stderr


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_all_else_is_waited_for(answer: bytes, make_app: MakeApp) -> None:
    with answering(answer) as url:
        result = invoke(make_app(url, LINE), "upgrade", "--wait-db", "0.4")
    assert result.returncode == 6, result.stderr
    assert result.stderr.startswith("Warning: waiting for the database. The database can't be used")
    assert result.stderr.count("Warning:") == 1


@pytest.mark.parametrize("tls", [b"N", b"S", b""], ids=["without TLS", "hangs up in TLS", "silent"])
def test_what_ends_tls_before_the_server_is_waited_for(tls: bytes, make_app: MakeApp) -> None:
    with answering(b"", tls=tls) as url:
        ini = make_app(f"{url}?sslmode=require&connect_timeout=2", LINE)
        result = invoke(ini, "stamp", "aaa111", "--wait-db", "0.4")
    assert result.returncode == 6, result.stderr
    assert result.stderr.startswith("Warning: waiting for the database. The database can't be used")


def test_without_a_wait_all_of_them_fail_at_once(make_app: MakeApp) -> None:
    with answering(PASSING["no database yet"]) as url:
        result = invoke(make_app(url, LINE), "upgrade")
    assert result.returncode == 6
    assert "waiting" not in result.stderr


def test_a_refusal_that_cannot_be_read_is_told_with_its_code(make_app: MakeApp) -> None:
    with answering(FINAL["password, French, Latin-1"]) as url:
        ini, port = make_app(url, LINE), urlsplit(url).port
        for command in ("upgrade", "current", "stamp head"):
            result = invoke(ini, *command.split())
            assert (result.returncode, result.stdout) == (6, "")
            assert result.stderr == (
                'Error: The database can\'t be used: connection to server at "127.0.0.1", port'
                f" {port} failed: FATAL: échouée (SQLSTATE 28P01).\n{FIX_USER}"
            )


def test_so_it_is_with_a_connection_that_env_py_opens_by_itself(make_app: MakeApp) -> None:
    with answering(FINAL["password, French, Latin-1"]) as url:
        ini = make_app(url, LINE)
        write_env(
            ini,
            f"""\
import psycopg2
from alembic import context
from sqlalchemy import create_engine

engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect({url!r}))
with engine.connect() as connection:
    context.configure(connection=connection)
    context.run_migrations()
""",
        )
        result = invoke(ini, "upgrade")
    assert result.returncode == 6, result.stderr
    assert result.stderr.startswith("Error: The database can't be used: connection to server at ")
    assert " failed: FATAL: échouée." in result.stderr


def test_so_it_is_with_one_that_a_revision_opens_by_itself(
    make_app: MakeApp, postgresql_url: str
) -> None:
    with answering(FINAL["password, French, Latin-1"]) as url:
        code = f"import psycopg2\npsycopg2.connect({url!r})"
        result = invoke(make_app(postgresql_url, [Revision("aaa111", upgrade=code)]), "upgrade")
    assert result.returncode == 1
    assert ": OperationalError: connection to server at " in result.stderr
    assert " failed: FATAL: échouée.\n" in result.stderr


@pytest.mark.parametrize("code", ["42704", "22023", "42601"])
def test_an_option_that_the_server_does_not_know_is_a_wrong_url(
    code: str, make_app: MakeApp
) -> None:
    with answering(refusal(code, "неизвестный параметр", severity="ВАЖНО", **IN_FULL)) as url:
        result = invoke(make_app(url, LINE), "upgrade", "--wait-db", "20")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: `sqlalchemy.url` has a parameter that can't be used: ")


def test_a_pooler_whose_server_is_away_is_waited_for(
    make_app: MakeApp, server: postgresql.Server, start: Start
) -> None:
    if not PROGRAM:
        pytest.skip("there is no pgbouncer")
    with pooled(server.admin_url, "session", "server_login_retry = 0.1") as url:
        ini = make_app(url, LINE)
        server.stop()
        running = start(ini, "upgrade", "--wait-db", "60")
        running.until_told("waiting for the database. ")
        server.start()
        result = running.finish()
    assert result.returncode == 0, result.stderr


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    with postgresql.restartable_server() as server:
        yield server


# Real servers that speak another language


@pytest.fixture(scope="module", params=[Locale("ru_RU", "KOI8-R"), Locale("fr_FR", "ISO-8859-1")])
def translated(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server that speaks another language, in another encoding than UTF-8."""
    if not TRANSLATED:
        pytest.skip("there is no PostgreSQL with translations, or no `localedef`")
    with postgresql.restartable_server(locale=request.param) as server:
        yield server.admin_url


@pytest.mark.parametrize(
    ("changed", "retryable"),
    [({"password": "wrong"}, False), ({"path": "/missing"}, True)],
    ids=str,
)
def test_a_real_server_that_speaks_another_language(
    translated: str, changed: dict[str, str], retryable: bool, make_app: MakeApp
) -> None:
    url = make_url(translated).set(
        password=changed.get("password", postgresql.PASSWORD),
        database=changed.get("path", "/postgres")[1:],
    )
    ini = make_app(url.render_as_string(hide_password=False), LINE)
    result = invoke(ini, "upgrade", "--wait-db", "0.4")
    assert result.returncode == 6, result.stderr
    assert ("Warning: waiting" in result.stderr) == retryable
    assert f"(SQLSTATE {'3D000' if retryable else '28P01'})" in result.stderr


def test_a_real_server_that_speaks_another_language_is_migrated(
    translated: str, make_app: MakeApp
) -> None:
    broken = Revision("bbb222", "aaa111", upgrade="op.execute('SELECT * FROM nowhere')")
    ini = make_app(translated, [*LINE, broken])
    result = invoke(ini, "upgrade")
    assert result.returncode == 1, result.stderr
    assert "\n       The database stands at aaa111 (add a).\n" in result.stderr
    # Neither "ОШИБКА" nor "ERREUR" stands before what it says.
    assert ' failed and was rolled back: отношение "nowhere"' in result.stderr or (
        " failed and was rolled back: la relation" in result.stderr
    )


def test_it_has_one_code_for_two_ends_of_a_statement(translated: str, make_app: MakeApp) -> None:
    cancelled = "op.execute('SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(9)')"
    settings = {"alembic.version_table": "of_its_own"}
    ini = make_app(translated, [Revision("bbb222", upgrade=cancelled)], settings)
    assert invoke(ini, "upgrade").stderr.endswith(
        "\nHint:  ask whether somebody cancelled its statement; if not, raise"
        " `migrate.statement_timeout` (0 is none); then run the command again.\n"
    )


# The words


def test_the_answer_of_a_server_is_known_by_two_blanks() -> None:
    place = 'connection to server at "h" (::1), port 5432 failed: '
    assert is_answer(f"{place}FATAL:  no")
    assert is_answer(f"{place}ÖLÜMCÜL (FATAL):  no")
    assert is_answer(f"one\n{place}致命错误:  no")
    assert is_answer("FATAL:  no")  # libpq before 14 names no place
    assert not is_answer(f"{place}Connection refused\n\tIs the server running?")
    assert not is_answer(f"{place}fe_sendauth: no password supplied")


def test_only_an_error_of_connecting_has_a_refusal() -> None:
    assert refusal_of(psycopg2.OperationalError("FATAL:  no")) is None
