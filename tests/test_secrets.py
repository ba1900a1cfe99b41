"""A secret is never shown, whatever goes wrong and whoever prints it."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit
from uuid import uuid4

import pytest
from support import postgresql
from support.command import Result, invoke, run
from support.history import MakeApp, Revision, create_table
from support.ini import MakeIni
from support.postgresql import PASSWORD

from myapp.migrator.settings.settings import load_settings

ENCODED = quote(PASSWORD, safe="")
#: Each a part long enough to give the password away, in the spellings that tests can meet.
PARTS = re.compile(r"p(@|%+40)ss(%|/|\\|$)|ss%+25|w(:|%+3a)ord|ord(#|%+23)1", re.IGNORECASE)

EVERYTHING = """
[loggers]
keys = root, sqlalchemy, alembic
[handlers]
keys = console, file
[formatters]
keys = generic
[logger_root]
level = NOTSET
handlers = console, file
[logger_sqlalchemy]
level = DEBUG
handlers =
qualname = sqlalchemy
[logger_alembic]
level = DEBUG
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stdout,)
formatter = generic
[handler_file]
class = FileHandler
args = (r'%(here)s/log', 'w', 'utf-8')
formatter = generic
[formatter_generic]
format = %(levelname)s [%(name)s] %(message)s
"""
#: A migration that does what a developer in trouble does.
TELL_ALL = """\
import json, logging, sys, warnings
url = op.get_bind().engine.url
shown, password = url.render_as_string(hide_password=False), url.password
setting = op.get_context().config.get_main_option("sqlalchemy.url")
print("told", shown, setting, [password], {"url": shown}, url, repr(url))
print("told", json.dumps({"url": shown, "password": password}), password)
sys.stderr.write(f"told {setting}\\n")
sys.stdout.buffer.write(f"told {shown}\\n".encode())
sys.stderr.writelines(["told ", password, "\\n"])
warnings.warn(f"told {shown}")
logging.getLogger("app").debug("told %s %r", shown, {"password": password})
try:
    raise ValueError(f"told {shown}")
except ValueError:
    logging.getLogger("app").exception("told %s", password, stack_info=True)
op.get_bind().execute(sa.text("SELECT CAST(:told AS text)"), {"told": password}).scalar()
comment = f"COMMENT ON SCHEMA public IS $told${shown}$told$"
op.get_bind().exec_driver_sql(comment.replace("%", "%%"))
"""


def assert_hidden(*texts: str) -> None:
    """Check that no part of PASSWORD stands in `texts`."""
    for text in texts:
        found = PARTS.search(text)
        assert found is None, text[max(found.start() - 100, 0) : found.end() + 100]


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take back what the commands that run in this process have set up."""
    yield
    for handler in logging.root.handlers[:]:
        if isinstance(handler, logging.FileHandler):
            logging.root.removeHandler(handler)
            handler.close()
    logging.root.setLevel(logging.WARNING)
    for name in [*logging.root.manager.loggerDict]:
        if name.startswith(("sqlalchemy", "alembic")):
            logging.getLogger(name).setLevel(logging.NOTSET)


def log_of(ini: Path) -> str:
    return (ini.parent / "log").read_text()


@pytest.fixture
def as_role(postgresql_url: str) -> Iterator[Callable[[str], str]]:
    """Make a role with a password, and return the database's URL for it."""
    made = []

    def make(password: str) -> str:
        name = f"r_{uuid4().hex[:12]}"
        literal = password.replace("'", "''")
        postgresql.execute(
            postgresql_url,
            f"CREATE ROLE {name} LOGIN PASSWORD '{literal}'",
            f"GRANT ALL ON SCHEMA public TO {name}",
        )
        made.append(name)
        parts = urlsplit(postgresql_url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{name}:{quote(password, safe='')}@{host}").geturl()

    yield make
    for name in made:
        postgresql.execute(postgresql_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def with_password(url: str, password: str) -> str:
    """Return `url` with another password, which stands in it as it is."""
    parts = urlsplit(url)
    user = parts.netloc.partition(":")[0]
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def test_the_pattern_of_these_tests_finds_the_password() -> None:
    for text in (PASSWORD, ENCODED, ENCODED.lower(), ENCODED.replace("%", "%%"), repr(PASSWORD)):
        assert PARTS.search(f"postgresql://deploy:{text}@db")
    assert PARTS.search("ord#1")
    assert not PARTS.search("password")


# Whoever prints it


@pytest.mark.parametrize("extra", [[], ["-v", "--traceback"], ["--json"]])
def test_a_migration_that_tells_all_is_redacted(
    make_app: MakeApp, postgresql_url: str, extra: list[str]
) -> None:
    settings = {"sqlalchemy.echo": "debug", "sqlalchemy.echo_pool": "debug"}
    ini = make_app(
        postgresql_url,
        [Revision("aaaa1", upgrade=TELL_ALL)],
        settings,
        extra=EVERYTHING,
    )
    env = ini.parent / "migrations" / "env.py"
    env.write_text(
        "from alembic import context\n"
        "print('told', context.config.get_main_option('sqlalchemy.url'))\n"
        f"{env.read_text()}"
    )
    result = run(ini, "upgrade", *extra)
    assert result.returncode == 0, result.stderr
    assert_hidden(result.stdout, result.stderr, log_of(ini))
    assert result.stderr.count("told postgresql+psycopg2://deploy:***@") >= 5
    assert "[sqlalchemy.engine.Engine] COMMENT ON SCHEMA public IS $told$post" in log_of(ini)
    assert "ValueError: told postgresql+psycopg2://deploy:***@" in log_of(ini)


@pytest.mark.parametrize("extra", [[], ["--traceback"], ["--json", "--traceback"]])
@pytest.mark.parametrize(
    "failure",
    [
        "raise RuntimeError(f'told {url}, {password!r}')",
        "op.execute(sa.text('SELECT told(:p, :u)').bindparams(p=password, u=url))",
        "import psycopg2; psycopg2.connect(f'{url}&told={password}'.replace('+psycopg2', ''))",
    ],
)
def test_a_migration_that_fails_with_it_is_redacted(
    make_app: MakeApp, postgresql_url: str, failure: str, extra: list[str]
) -> None:
    code = (
        "password = op.get_bind().engine.url.password\n"
        "url = op.get_bind().engine.url.render_as_string(hide_password=False)\n"
        f"{failure}\n"
    )
    ini = make_app(postgresql_url, [Revision("aaaa1", upgrade=code)], extra=EVERYTHING)
    result = run(ini, "upgrade", *extra)
    assert result.returncode == 1
    assert ("Traceback" in result.stderr) == ("--traceback" in extra)
    assert "***" in result.stdout + result.stderr
    assert_hidden(result.stdout, result.stderr, log_of(ini))


@pytest.mark.parametrize("command", ["current -v", "history -v", "show head", "upgrade --sql"])
@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_no_answer_shows_it(
    make_app: MakeApp, postgresql_url: str, command: str, extra: list[str]
) -> None:
    ini = make_app(postgresql_url, [Revision("aaaa1", **create_table("a"))], extra=EVERYTHING)
    result = invoke(ini, *command.split(), *extra)
    assert result.returncode == 0
    assert_hidden(result.stdout, result.stderr, log_of(ini))
    if command == "current -v":
        name = urlsplit(postgresql_url).path
        assert f"postgresql+psycopg2://deploy:***@{name}" in result.stdout


def test_the_process_list_does_not_show_it(make_app: MakeApp, postgresql_url: str) -> None:
    code = (
        "import os, pathlib\n"
        "for process in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    try:\n"
        "        parent = int((process / 'stat').read_text().rpartition(')')[2].split()[1])\n"
        "        if os.getpid() in (parent, int(process.name)):\n"
        "            print('process', (process / 'cmdline').read_bytes())\n"
        "    except OSError:\n"
        "        pass\n"
    )
    ini = make_app("${DATABASE_URL}", [Revision("aaaa1", upgrade=code)])
    result = run(ini, "upgrade", env={"DATABASE_URL": postgresql_url}, installed=True)
    assert (result.returncode, "/myapp-migrate\\x00" in result.stderr) == (0, True)
    assert "***" not in result.stderr
    assert_hidden(result.stderr)


# Whatever goes wrong with the connection

#: A password that the server refuses, as hard to hide as the one that it takes.
WRONG = ENCODED + "x"


def _wrong_password(url: str) -> str:
    return with_password(url, WRONG)


def _unknown_user(url: str) -> str:
    return url.replace("://deploy:", "://nobody:")


def _unknown_database(url: str) -> str:
    return urlsplit(url)._replace(path="/nowhere").geturl()


def _no_server(url: str) -> str:
    return f"postgresql://deploy:{ENCODED}@127.0.0.1:1/db"


def _unknown_host(url: str) -> str:
    return f"postgresql://deploy:{ENCODED}@no-such-host.invalid/db"


def _unknown_option(url: str) -> str:
    return f"{url}&nonsense={ENCODED}"


def _wrong_password_in_query(url: str) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&user=deploy&password={WRONG}&sslpassword={ENCODED}"
    return parts._replace(netloc="", query=query).geturl().replace("postgresql:/", "postgresql:///")


CONNECTIONS = [
    _wrong_password,
    _unknown_user,
    _unknown_database,
    _no_server,
    _unknown_host,
    _unknown_option,
    _wrong_password_in_query,
]


@pytest.mark.parametrize("extra", [[], ["--traceback"], ["--json", "--traceback"]])
@pytest.mark.parametrize("change", CONNECTIONS)
def test_a_connection_that_fails_does_not_show_it(
    make_app: MakeApp, postgresql_url: str, change: Callable[[str], str], extra: list[str]
) -> None:
    if "MYAPP_TEST_POSTGRESQL_URL" in os.environ and change in CONNECTIONS[:2]:
        pytest.skip("whether a given server asks for a password is up to its pg_hba.conf")
    ini = make_app(change(postgresql_url), [Revision("aaaa1")], extra=EVERYTHING)
    for command in ("upgrade", "current", "history", "check"):
        result = invoke(ini, command, *extra)
        status = 2 if change is _unknown_option else 6
        assert result.returncode == (0 if command == "history" else status), result.stderr
        assert_hidden(result.stdout, result.stderr, log_of(ini))
    if "--traceback" in extra:
        assert "OperationalError" in result.stderr or "ProgrammingError" in result.stderr


# Whatever goes wrong with the settings

MALFORMED = [
    f"postgresql://deploy:{PASSWORD}@/db",
    f"postgresql://deploy:{PASSWORD}@db.example.com:5432/shop?sslmode=require",
    f"postgresql//deploy:{ENCODED}@db/shop",
    f"deploy:{ENCODED}@db/shop",
    f"://deploy:{ENCODED}@db/shop",
    f"postgresql://deploy:{ENCODED}@db:port/shop",
    f"postgresql://deploy:{ENCODED}@db:5432:5432/shop",
    f"nonsense://deploy:{ENCODED}@db/shop",
    f"nonsense+driver://deploy:{ENCODED}@db/shop",
    f"mysql+pymysql://deploy:{ENCODED}@db/shop",
    f"postgresql+nonsense://deploy:{ENCODED}@db/shop",
    f"host=db user=deploy password={ENCODED}",
    f"'postgresql://deploy:{ENCODED}@db/shop'",
    ENCODED,
]


@pytest.mark.parametrize("extra", [[], ["--traceback"], ["--json", "--traceback"]])
@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_that_is_wrong_is_not_shown(make_app: MakeApp, url: str, extra: list[str]) -> None:
    ini = make_app(url, [Revision("aaaa1")], extra=EVERYTHING)
    result = invoke(ini, "upgrade", *extra)
    assert result.returncode == 2, result.stderr
    assert_hidden(result.stdout, result.stderr)
    assert ("Traceback" in result.stderr) == ("--traceback" in extra)


@pytest.mark.parametrize("extra", [[], ["--traceback"], ["--json", "--traceback"]])
@pytest.mark.parametrize(
    "line",
    [
        f"sqlalchemy.url = postgresql://deploy:{PASSWORD}@db/shop",
        f"sqlalchemy.url = postgresql://deploy:{ENCODED}@db/shop",
        f"sqlalchemy.url = postgresql://deploy:{ENCODED.replace('%', '%%')}@%(nowhere)s/shop",
        f"sqlalchemy.url = postgresql://deploy:{ENCODED.replace('%', '%%')}@${{NOWHERE}}/shop",
        f"sqlalchemy.url = postgresql://deploy:{ENCODED.replace('%', '%%')}@${{NOWHERE/shop",
        f"postgresql://deploy/{PASSWORD}",
        f"sqlalchemy.connect_args = {{'password': '{PASSWORD.replace('%', '%%')}'}}",
        f"sqlalchemy.password = {PASSWORD.replace('%', '%%')}",
        f"migrate.password = {PASSWORD.replace('%', '%%')}",
    ],
)
def test_an_ini_that_is_wrong_is_not_shown(
    make_app: MakeApp, tmp_path: Path, line: str, extra: list[str]
) -> None:
    ini = make_app("postgresql://u@127.0.0.1:1/db", [Revision("aaaa1")])
    text = ini.read_text()
    if line.startswith("sqlalchemy.url"):
        text = re.sub("(?m)^sqlalchemy.url.*$", "", text)
    ini.write_text(text.replace("[app:main]\n", f"[app:main]\n{line}\n"))
    result = invoke(ini, "upgrade", *extra)
    assert result.returncode == 2, result.stderr
    assert_hidden(result.stdout, result.stderr)


# Wherever it comes from


def _in_alembic_section(ini: Path, url: str) -> list[str]:
    escaped = url.replace("%", "%%")
    text = ini.read_text()
    ini.write_text(
        re.sub("(?m)^sqlalchemy.url.*$", "", text) + f"[alembic]\nsqlalchemy.url = {escaped}\n"
    )
    return []


def _in_default_section(ini: Path, url: str) -> list[str]:
    password = ENCODED.replace("%", "%%")
    text = ini.read_text().replace(password, "%(db_password)s")
    ini.write_text(f"[DEFAULT]\ndb_password = {password}\n{text}")
    return []


def _in_a_variable_of_the_command_line(ini: Path, url: str) -> list[str]:
    ini.write_text(ini.read_text().replace(ENCODED.replace("%", "%%"), "%(db_password)s"))
    return [f"db_password={ENCODED.replace('%', '%%')}"]


def _in_the_environment(ini: Path, url: str) -> list[str]:
    ini.write_text(re.sub("(?m)^sqlalchemy.url.*$", "sqlalchemy.url = ${URL}", ini.read_text()))
    return []


def _alone_in_the_environment(ini: Path, url: str) -> list[str]:
    ini.write_text(ini.read_text().replace(ENCODED.replace("%", "%%"), "${DB_PASSWORD}"))
    return []


def _in_lower_case(ini: Path, url: str) -> list[str]:
    escaped = ENCODED.replace("%", "%%")
    ini.write_text(ini.read_text().replace(escaped, escaped.replace("%2F", "%2f")))
    return []


SOURCES = [
    _in_alembic_section,
    _in_default_section,
    _in_a_variable_of_the_command_line,
    _in_the_environment,
    _alone_in_the_environment,
    _in_lower_case,
]


@pytest.mark.parametrize("source", SOURCES)
def test_it_is_hidden_wherever_it_comes_from(
    make_app: MakeApp, postgresql_url: str, source: Callable[[Path, str], list[str]]
) -> None:
    code = f"{TELL_ALL}raise RuntimeError(f'told {{shown}} {{password!r}}')"
    ini = make_app(postgresql_url, [Revision("aaaa1", upgrade=code)], extra=EVERYTHING)
    variables = source(ini, postgresql_url)
    env = {"URL": postgresql_url, "DB_PASSWORD": ENCODED}
    result = run(ini, *variables, "upgrade", "--traceback", "-v", env=env)
    assert result.returncode == 1, result.stderr
    assert "told postgresql+psycopg2://deploy:***@" in result.stderr
    assert_hidden(result.stdout, result.stderr, log_of(ini))


def test_a_raw_password_from_the_environment_is_refused_and_not_shown(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    ini = make_app("postgresql://deploy:${DB_PASSWORD}@127.0.0.1:1/db", [Revision("aaaa1")])
    result = invoke(ini, "upgrade", "--traceback")
    assert result.returncode == 2
    assert "Error: `sqlalchemy.url` is not a database URL.\n" in result.stderr
    assert_hidden(result.stderr)


def test_a_second_url_and_other_secrets_of_the_settings_are_hidden_too(
    make_app: MakeApp, sqlite_url: str
) -> None:
    code = "print(op.get_context().config.get_main_option('reporting_url'), 'and', 't0ken!x')"
    settings = {
        "alembic.reporting_url": f"mysql://u:{ENCODED}@h/d",
        "alembic.api_token": "t0ken!x",
    }
    ini = make_app(sqlite_url, [Revision("aaaa1", upgrade=code)], settings)
    assert invoke(ini, "upgrade").stderr.startswith("mysql://u:***@h/d and ***\n")


def test_a_secret_in_the_config_uri_is_hidden(tmp_path: Path) -> None:
    result = invoke(f"{tmp_path}/nope.ini?db_password={ENCODED}", "upgrade", "--traceback")
    assert result.returncode == 2
    assert_hidden(result.stderr)


# Passwords of every kind

PASSWORDS = [
    "it's",
    'say "hi"',
    "back\\slash\\n",
    "two  words",
    "pässwört-日本",
    "%(here)s",
    "${HOME}",
    "postgres",
    "aB3xy9",
    "xy",
]


@pytest.mark.parametrize("password", PASSWORDS)
def test_every_password_works_and_is_hidden(
    make_app: MakeApp, as_role: Callable[[str], str], password: str
) -> None:
    tell = TELL_ALL.partition("op.get_bind().execute")[0]
    code = f"{tell}raise RuntimeError(f'told {{shown}} {{password}}')"
    ini = make_app("${URL}", [Revision("aaaa1", upgrade=code)], extra=EVERYTHING)
    result = run(ini, "upgrade", "--traceback", env={"URL": as_role(password)})
    assert result.returncode == 1, result.stderr
    written = result.stdout + result.stderr + log_of(ini)
    told = [line for line in written.splitlines() if "told" in line and "print(" not in line]
    assert len(told) > 10
    for spelling in (
        password,
        quote(password, safe=""),
        quote(password, safe=" +"),
        quote_plus(password),
        repr(password)[1:-1],
        json.dumps(password)[1:-1],
    ):
        pattern = rf"(?<!\w){re.escape(spelling)}(?!\w)"
        assert [line for line in told if re.search(pattern, line)] == []


@pytest.mark.parametrize("password", ["users", "revision", "upgrade", "postgres", "head", "1"])
def test_a_password_that_is_a_common_word_garbles_no_answer(
    make_ini: MakeIni, as_role: Callable[[str], str], password: str
) -> None:
    settings = {
        "sqlalchemy.url": as_role(password),
        "alembic.script_location": "myapp:migrations",
        "alembic.target_metadata": "myapp.models:Base.metadata",
    }
    ini = make_ini(settings)
    result = invoke(ini, "upgrade", "--json")
    document = json.loads(result.stdout)
    assert [step["message"] for step in document["steps"]] == ["Create users", "Add email to users"]
    assert re.sub(r"\d+ ms", "5 ms", result.stderr) == (
        "[1/2] 4b7e21c09d35 Create users  5 ms\n[2/2] c85d3f6a1e90 Add email to users  5 ms\n"
    )
    assert invoke(ini, "history").stdout == (
        "current 4b7e21c09d35 -> c85d3f6a1e90 (head), Add email to users\n"
        "applied <base> -> 4b7e21c09d35, Create users\n"
    )
    assert "\nCREATE TABLE users (\n" in invoke(ini, "upgrade", "--sql").stdout
    assert invoke(ini, "current", "-v").stdout.startswith(
        f"Current revision(s) for postgresql+psycopg2://{urlsplit(as_role('x')).username[:2]}"
    )
    assert invoke(ini, "check").stdout == "Models and database agree.\n"


@pytest.mark.parametrize("password", ["users", "revision", '"', "path", ": ", "[]", "null"])
def test_a_password_that_is_a_common_word_garbles_no_error(
    make_app: MakeApp, as_role: Callable[[str], str], password: str
) -> None:
    revisions = [Revision("users", message="users", upgrade="raise OSError(1, 'the users')")]
    result = invoke(make_app(as_role(password), revisions), "upgrade", "--json")
    error = json.loads(result.stdout)["error"]
    assert error.keys() == {
        *("code", "exit_code", "message", "hint", "revision", "path"),
        *("database", "schema", "rows", "databases", "done", "not_recorded", "not_begun"),
    }
    assert (error["code"], error["revision"], error["rows"]) == ("migration_failed", "users", [])
    assert error["path"].endswith("/migrations/versions/users_.py")


# Within this process


def test_the_settings_show_nothing_when_printed(make_ini: MakeIni, tmp_path: Path) -> None:
    ini = make_ini(
        {
            "sqlalchemy.url": f"postgresql://deploy:{ENCODED}@db/shop",
            "sqlalchemy.password": PASSWORD,
            "alembic.script_location": "migrations",
            "alembic.other_password": PASSWORD,
        }
    )
    settings = load_settings(str(ini), {"db_password": PASSWORD.replace("%", "%%")})
    assert settings.url.count(ENCODED) == 1
    assert_hidden(repr(settings), str(settings), f"{settings!r}")


def test_a_result_names_the_database_without_it(make_app: MakeApp, postgresql_url: str) -> None:
    result: Result = invoke(make_app(postgresql_url), "current", "--json")
    database = json.loads(result.stdout)["database"]
    assert re.fullmatch(r"postgresql\+psycopg2://deploy:\*\*\*@/t_\w+", database)


# Wherever it is typed


@pytest.mark.parametrize("password", ["it's-a-secret", 'say "s3cr3t"', "s3cr3t\\", "two s3cr3ts"])
def test_a_hint_shows_nothing_of_a_pair_that_needs_quotes(
    make_app: MakeApp, sqlite_url: str, password: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1")], {"app.x": "x"})
    result = invoke(ini, f"db_password={password}", "shop=two words", "show", "zzz")
    assert result.stderr == (
        "Error: There is no revision `zzz`.\n"
        f"Hint:  `myapp-migrate {ini} db_password=*** 'shop=two words' history` lists the"
        " revisions.\n"
    )


def test_a_pair_that_is_a_part_of_the_password_is_hidden_in_a_hint(make_ini: MakeIni) -> None:
    ini = make_ini({"alembic.script_location": "myapp:migrations"})
    text = ini.read_text()
    ini.write_text(f"{text}sqlalchemy.url = postgresql://u:begin-%(pw)s-end@127.0.0.1:1/db\n")
    result = invoke(ini, "pw=h3art", "show", "zzz")
    assert f"`myapp-migrate {ini} pw=*** history`" in result.stderr


@pytest.mark.parametrize(
    "command", ["upgrade head {}", "upgrade {}", "stamp head {}", "history -r {}", "merge {} head"]
)
def test_a_pair_after_the_command_is_told_without_its_value(
    make_app: MakeApp, sqlite_url: str, command: str
) -> None:
    ini = make_app(sqlite_url, [Revision("aaaa1")])
    result = invoke(ini, *command.format("pw=h@rt-3").split())
    assert (result.returncode, result.stderr) == (
        2,
        "Error: `pw=...` stands after the command.\n"
        "Hint:  NAME=VALUE pairs stand between the .ini file and the command.\n",
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:1/db?password=one@twotwo",
        "postgresql://127.0.0.1?password=one@twotwo",
        "postgresql://u:p@127.0.0.1/db?user=x&password=one@twotwo",
    ],
)
@pytest.mark.parametrize("env", ["ours", "an engine of env.py's own"])
def test_a_raw_at_sign_in_the_query_makes_no_host_name_of_a_password(
    make_app: MakeApp, url: str, env: str
) -> None:
    ini = make_app(url, [Revision("aaaa1")])
    if env != "ours":
        (ini.parent / "migrations" / "env.py").write_text(
            "from alembic import context\nfrom sqlalchemy import create_engine\n"
            "url = context.config.get_main_option('sqlalchemy.url')\n"
            "create_engine(url.replace('postgresql:', 'postgresql+psycopg2:')).connect()\n"
        )
    result = invoke(ini, "upgrade", "--traceback")
    assert result.returncode in (2, 6)
    assert "twotwo" not in result.stderr


def test_a_password_that_others_have_cut_is_hidden_up_to_the_cut(
    make_app: MakeApp, sqlite_url: str
) -> None:
    token = "".join(f"{number:03}-" for number in range(100))
    find = "token = op.get_context().config.get_main_option('api_token')"
    code = "op.get_bind().execute(sa.text('SELECT no(:p)'), {'p': 'x' * 140 + '=' + token})"
    ini = make_app(
        sqlite_url, [Revision("aaaa1", upgrade=f"{find}\n{code}")], {"alembic.api_token": token}
    )
    result = invoke(ini, "upgrade", "--traceback", "-v")
    assert "characters truncated" in result.stderr
    assert not re.search(r"\d\d\d-", result.stderr)
