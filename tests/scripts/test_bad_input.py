"""Bad input gets two clear lines, the right exit status, and changes nothing."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.command import SCRIPTS, Result, invoke, run
from support.database import change, rows, tables
from support.history import Revision, add_revision, create_table, make_history
from support.ini import MakeIni
from support.refusal import files, read_only, refused, told, without_modes

PASSWORD = "hunter2"  # noqa: S105 # it must never be shown
SECRET_URL = f"postgresql://shop:{PASSWORD}@db.example/shop"
REVISION = Revision("aaaa1111", message="add a", **create_table("a"))
AT_HAND = {"alembic.script_location": "migrations"}
GOOD = """\
[app:main]
use = egg:myapp
sqlalchemy.url = sqlite:///%(here)s/test.sqlite
alembic.script_location = migrations
"""


@pytest.fixture(autouse=True)
def history(tmp_path: Path) -> Path:
    """A migrations folder with one revision, beside the .ini file."""
    return make_history(tmp_path / "migrations", [REVISION])


def write(tmp_path: Path, content: str | bytes, name: str = "app.ini") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# The .ini file


def test_a_missing_ini_names_its_nearest_neighbour(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "development.ini")
    path = tmp_path / "developement.ini"
    refused(
        tmp_path, 2, f"No such file: {path}.", "did you mean `development.ini`?", path, "upgrade"
    )


def test_an_ini_in_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "app.ini"
    hint = "give the path of the application's .ini file."
    refused(tmp_path, 2, f"No such file: {path}.", hint, path, "upgrade")


def test_a_missing_ini_through_the_installed_command(tmp_path: Path) -> None:
    result = run("nowhere.ini", "upgrade", cwd=tmp_path, installed=True)
    hint = "give the path of the application's .ini file."
    assert result == Result(2, "", told(f"No such file: {tmp_path}/nowhere.ini.", hint))


def test_a_link_to_nothing_says_where_it_leads(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.symlink_to("gone.ini")
    error = f"{path} is a link to gone.ini, which does not exist."
    refused(tmp_path, 2, error, "fix the link.", path, "upgrade")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    result = invoke(tmp_path / f"{'a' * 300}.ini", "upgrade")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 2


def test_a_folder_names_the_ini_files_in_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "production.ini")
    write(tmp_path, GOOD, "development.ini")
    error = f"{tmp_path} is a folder, not an .ini file."
    hint = "name one of its files: development.ini, production.ini."
    refused(tmp_path, 2, error, hint, tmp_path, "upgrade")


def test_a_folder_with_the_name_of_an_ini_file(tmp_path: Path) -> None:
    (tmp_path / "app.ini").mkdir()
    error = f"{tmp_path}/app.ini is a folder, not an .ini file."
    refused(tmp_path, 2, error, "name the .ini file.", tmp_path / "app.ini", "upgrade")


@pytest.mark.parametrize(
    ("content", "error", "hint"),
    [
        pytest.param(
            GOOD.encode() + b"name = caf\xe9\n",
            "{path} can't be read: it is not UTF-8.",
            "save it as UTF-8 text.",
            id="latin-1",
        ),
        pytest.param(
            GOOD.encode("utf-16"),
            "{path} can't be read: it is not UTF-8.",
            "save it as UTF-8 text.",
            id="utf-16",
        ),
        pytest.param(
            b"\xef\xbb\xbf" + GOOD.encode(),
            "{path} starts with a byte order mark, which PasteDeploy can't read.",
            "save it as UTF-8 without BOM.",
            id="byte order mark",
        ),
        pytest.param(
            f"{GOOD}sqlalchemy.url = {SECRET_URL}\n",
            "{path} is not a valid .ini file: line 5 sets `sqlalchemy.url` in [app:main] a second"
            " time.",
            "fix that line.",
            id="a key twice",
        ),
        pytest.param(
            f"{GOOD}[app:main]\nsqlalchemy.url = {SECRET_URL}\n",
            "{path} is not a valid .ini file: line 5 opens the section [app:main] a second time.",
            "fix that line.",
            id="a section twice",
        ),
        pytest.param(
            f"sqlalchemy.url = {SECRET_URL}\n{GOOD}",
            "{path} is not a valid .ini file: line 1 stands before any [section].",
            "fix that line.",
            id="a line before the first section",
        ),
        pytest.param(
            f"{GOOD}{PASSWORD}\n",
            "{path} is not a valid .ini file: line 5 is neither `key = value` nor a [section].",
            "fix that line.",
            id="a line without a key",
        ),
        pytest.param(
            "[server:main]\nuse = egg:waitress\n",
            "{path} has no section [app:main], so there are no settings to read.",
            "add a section [app:main] with `use = egg:PACKAGE` and `sqlalchemy.url` in it.",
            id="no section",
        ),
        pytest.param(
            "",
            "{path} has no section [app:main], so there are no settings to read.",
            "add a section [app:main] with `use = egg:PACKAGE` and `sqlalchemy.url` in it.",
            id="empty",
        ),
        pytest.param(
            "[app:shop]\nuse = egg:myapp\n",
            "{path} has no section [app:main], so there are no settings to read.",
            "its applications: shop; write `app.ini#shop`.",
            id="another application's section",
        ),
        pytest.param(
            GOOD.replace("sqlite:///%(here)s/test.sqlite", "postgresql://shop:hunter2%@h/shop"),
            "`sqlalchemy.url` in [app:main] of {path} has a `%` that can't be expanded.",
            "write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or as"
            " NAME=VALUE after the .ini file.",
            id="a percent sign in a password",
        ),
        pytest.param(
            GOOD.replace("%(here)s", "%(folder)s"),
            "`sqlalchemy.url` in [app:main] of {path} has a `%` that can't be expanded.",
            "write `%%` for a plain `%`; `%(name)s` needs `name` to be set, in [DEFAULT] or as"
            " NAME=VALUE after the .ini file.",
            id="an unknown variable",
        ),
        pytest.param(
            "[app:main]\nuse = main\n",
            "{path} can't be read: the sections that it uses lead in a circle.",
            "fix that section's `pipeline` or `next`, or its `use`, as in `use = egg:PACKAGE`.",
            id="a section that uses itself",
        ),
        pytest.param(
            "[app:main]\nuse = config:base.ini\n",
            "{path} can't be read: it uses {folder}/base.ini: No such file or directory.",
            "fix the `config:` that names it.",
            id="a missing file that it uses",
        ),
    ],
)
def test_an_ini_that_cannot_be_used(
    tmp_path: Path, content: str | bytes, error: str, hint: str
) -> None:
    path = write(tmp_path, content)
    refused(tmp_path, 2, error.format(path=path, folder=tmp_path), hint, path, "upgrade")


def test_a_misspelt_application_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "[app:admin]\nuse = egg:myapp\n")
    error = f"{path} has no section [app:adm], so there are no settings to read."
    hint = "its applications: main, admin; write `app.ini#admin`."
    refused(tmp_path, 2, error, hint, f"{path}#adm", "upgrade")


def test_a_percent_sign_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    folder.mkdir()
    path = write(folder, GOOD)
    error = f"The path {path} has a `%` in it, which PasteDeploy takes for a variable."
    refused(tmp_path, 2, error, "rename that folder or file.", path, "upgrade")


@pytest.mark.parametrize("name", ["my shop.ini", "añb'\"$&;.ini", "-x.ini", "a=b.ini"])
def test_an_odd_file_name_is_no_error(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD, name)
    assert invoke(path, "current") == Result(0, "base (no revision)\n", "")


@pytest.mark.parametrize(
    ("config_uri", "error"),
    [
        ("app.yaml", "`app.yaml` is not an .ini file: its type is `file+yaml`."),
        ("egg:myapp", "`egg:myapp` is not an .ini file: its type is `egg`."),
        ("http://a/b.ini", "`http://a/b.ini` is not an .ini file: its type is `http`."),
        ("shop", "`shop` is not the name of an .ini file."),
        ("", "`` is not the name of an .ini file."),
        ("\udcff", r"`\udcff` is not the name of an .ini file."),
    ],
)
def test_a_config_uri_of_another_kind(tmp_path: Path, config_uri: str, error: str) -> None:
    hint = "give the path of the application's .ini file, such as `development.ini`."
    refused(tmp_path, 2, error, hint, config_uri, "upgrade")


def test_a_path_with_a_character_of_uris(tmp_path: Path) -> None:
    folder = tmp_path / "shop #2"
    folder.mkdir()
    path = write(folder, GOOD)
    hint = "`#` and `?` start a section and its variables: type the command in that folder."
    refused(tmp_path, 2, f"`{path}` is not the name of an .ini file.", hint, path, "upgrade")
    make_history(folder / "migrations", [REVISION])
    assert run("app.ini", "upgrade", "-q", cwd=folder) == Result(0, "", "")


@pytest.mark.parametrize("name", ["a#b.ini", "a?b.ini"])
def test_a_file_name_with_a_character_of_uris(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD).rename(tmp_path / name)
    hint = "`#` and `?` start a section and its variables: give the file a name without them."
    refused(tmp_path, 2, f"`{path}` is not the name of an .ini file.", hint, path, "upgrade")


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"rmdir '{gone}' && exec '{SCRIPTS / 'myapp-migrate'}' app.ini upgrade"
    done = subprocess.run(["sh", "-c", line], cwd=gone, capture_output=True, check=False, text=True)
    error = "The working directory does not exist any more, so `app.ini` can't be found."
    hint = "`cd` to one that exists, or give the whole path of the .ini file."
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told(error, hint))


# Where the migrations are

LOCATION_HINT = (
    "fix it (a relative path starts at the .ini file's folder, or else at the working folder), or"
    " make the folder with `myapp-migrate {ini} init FOLDER`."
)


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("{folder}/gone", "`{folder}/gone`, which does not exist"),
        ("gone", "relative, and neither `{folder}/gone` nor `{cwd}/gone` exists"),
        ("app.ini", "`{folder}/app.ini`, which has no env.py"),
        ("migrations/versions", "`{folder}/migrations/versions`, which has no env.py"),
        ("myapp:gone", "`myapp:gone`, which does not exist"),
        ("myapp:models", "`myapp:models`, which has no env.py"),
    ],
)
def test_a_script_location_that_leads_nowhere(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, location: str, error: str
) -> None:
    location = location.format(folder=tmp_path)
    ini = make_ini({"sqlalchemy.url": sqlite_url, "alembic.script_location": location})
    error = error.format(folder=tmp_path, cwd=Path.cwd())
    for command in ("upgrade", "current", "heads", "history"):
        refused(
            tmp_path,
            2,
            f"`alembic.script_location` is {error}, so there are no migrations.",
            LOCATION_HINT.format(ini=ini),
            ini,
            command,
        )


def test_a_file_where_the_folder_of_revisions_should_be(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    (tmp_path / "env.py").touch()
    (tmp_path / "versions").touch()
    ini = make_ini({"sqlalchemy.url": sqlite_url, "alembic.script_location": str(tmp_path)})
    for command in ("upgrade", "current", "heads", "history"):
        refused(
            tmp_path,
            2,
            f"The folder of revisions {tmp_path}/versions can't be read: Not a directory.",
            "it is a file: move it, or fix `alembic.version_locations`.",
            ini,
            command,
        )


def test_no_script_location(tmp_path: Path, make_ini: MakeIni, sqlite_url: str) -> None:
    ini = make_ini({"sqlalchemy.url": sqlite_url})
    refused(
        tmp_path,
        2,
        f"[app:main] in {ini} has no `alembic.script_location`, so there are no migrations.",
        "add `alembic.script_location = package:migrations`;"
        f" `myapp-migrate {ini} init FOLDER` makes one.",
        ini,
        "upgrade",
    )


def test_a_misspelt_script_location(tmp_path: Path, make_ini: MakeIni, sqlite_url: str) -> None:
    ini = make_ini({"sqlalchemy.url": sqlite_url, "alembic.script_locaton": "migrations"})
    refused(
        tmp_path,
        2,
        f"[app:main] in {ini} has no `alembic.script_location`, so there are no migrations.",
        "is `alembic.script_locaton` a misspelling of it?",
        ini,
        "upgrade",
    )


# The database's URL, and the engine's options


def test_no_url(tmp_path: Path, make_ini: MakeIni) -> None:
    ini = make_ini(AT_HAND)
    refused(
        tmp_path,
        2,
        f"[app:main] in {ini} has no `sqlalchemy.url`, so there is no database.",
        "add `sqlalchemy.url = postgresql://user@host/database`.",
        ini,
        "upgrade",
    )


@pytest.mark.parametrize("url", ["", "  ", "${SHOP_DATABASE_URL}"])
def test_an_empty_url(
    tmp_path: Path, make_ini: MakeIni, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", "")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": url})
    error = f"[app:main] in {ini} has an empty `sqlalchemy.url`, so there is no database."
    hint = "give it a value; or is its environment variable empty?"
    refused(tmp_path, 2, error, hint, ini, "upgrade")


def test_a_url_in_the_default_section(tmp_path: Path, make_ini: MakeIni) -> None:
    extra = f"[DEFAULT]\nsqlalchemy.url = {SECRET_URL}\n"
    ini = make_ini(AT_HAND, extra=extra)
    refused(
        tmp_path,
        2,
        f"[app:main] in {ini} has no `sqlalchemy.url`, so there is no database. It stands in"
        " [DEFAULT], and PasteDeploy keeps such keys from the app.",
        "move it out of [DEFAULT], or add `get sqlalchemy.url = sqlalchemy.url` to that section.",
        ini,
        "upgrade",
    )


NO_URL = "`sqlalchemy.url` is not a database URL"
NO_URL_HINT = (
    "write `dialect://user:password@host:port/database`; in a password, `@`, `/`, `:`, `#` and `%`"
    " stand as %40, %2F, %3A, %23 and %25, in an .ini file with `%%` for `%`."
)
UNKNOWN_HINT = "is it spelt right? A dialect of another package must be installed beside this."


@pytest.mark.parametrize(
    ("url", "error", "hint"),
    [
        (f"postgresql//shop:{PASSWORD}@h/shop", f"{NO_URL}.", NO_URL_HINT),
        (f"postgresql://shop:p@{PASSWORD}@h/shop", f"{NO_URL}.", NO_URL_HINT),
        (f"postgresql://s:{PASSWORD}@h:p/s", f"{NO_URL}: its port is no number.", NO_URL_HINT),
        (
            f"postgresql://s:{PASSWORD}@h:99999/s",
            '`sqlalchemy.url` has a parameter that can\'t be used: invalid port number: "99999".',
            "fix the port, or what stands after `?`.",
        ),
        (
            f"postgresql://s:{PASSWORD}@h/s?sslmod=require",
            "`sqlalchemy.url` has a parameter that can't be used: invalid dsn: invalid connection"
            ' option "sslmod".',
            "fix the port, or what stands after `?`.",
        ),
        (
            f"postgresql://s:{PASSWORD}@h/s?sslmode=on",
            '`sqlalchemy.url` has a parameter that can\'t be used: invalid sslmode value: "on".',
            "fix the port, or what stands after `?`.",
        ),
        (
            f"{SECRET_URL}\nalembic.version_table = v",
            "`sqlalchemy.url` has a line break or another control character in it.",
            "an indented line in an .ini file goes on with the value above it: is one meant to be a"
            " setting of its own?",
        ),
        (
            "sqlite://shop.sqlite",
            "`sqlalchemy.url` names a host, and SQLite has none.",
            "write three slashes before the file's path: `sqlite:///%(here)s/app.sqlite`.",
        ),
        (
            f"postgressql://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` names `postgressql`, which SQLAlchemy doesn't know.",
            "did you mean `postgresql`?",
        ),
        (
            f"cobol://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` names `cobol`, which SQLAlchemy doesn't know.",
            UNKNOWN_HINT,
        ),
        (
            f"postgresql+pg9000://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` names `postgresql+pg9000`, which SQLAlchemy doesn't know.",
            UNKNOWN_HINT,
        ),
        (
            f"mysql://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` needs the driver `MySQLdb`, which is not installed.",
            "run `pip install 'mysqlclient'`, or name another driver in `sqlalchemy.url`.",
        ),
        (
            f"oracle+oracledb://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` needs the driver `oracledb`, which is not installed.",
            "run `pip install 'oracledb'`, or name another driver in `sqlalchemy.url`.",
        ),
        (
            f"postgresql+asyncpg://shop:{PASSWORD}@h/shop",
            "`sqlalchemy.url` names `postgresql+asyncpg`, an asynchronous driver, and migrations"
            " run without one.",
            "write `postgresql://`, or let env.py make its own engine (`myapp-migrate {ini} init -t"
            " async FOLDER`).",
        ),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_a_url_that_cannot_be_used(
    tmp_path: Path, make_ini: MakeIni, command: str, url: str, error: str, hint: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": url})
    refused(tmp_path, 2, error, hint.replace("{ini}", str(ini)), ini, command)


OPTIONS_HINT = "`create_engine` in SQLAlchemy's documentation lists the options and their values."


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (
            "pool_sise",
            "5",
            "`sqlalchemy.pool_sise` is not an option of SQLAlchemy's engine for this database.",
        ),
        (
            "pool_size",
            "many",
            "`sqlalchemy.pool_size = many` can't be used: invalid literal for int() with base 10:"
            " 'many'.",
        ),
        (
            "echo",
            "perhaps",
            "`sqlalchemy.echo = perhaps` can't be used: String is not true/false: 'perhaps'.",
        ),
        (
            "isolation_level",
            "CHAOS",
            "`sqlalchemy.isolation_level = CHAOS` can't be used: Invalid value 'CHAOS' for"
            " isolation_level. Valid isolation levels for 'sqlite' are READ UNCOMMITTED,"
            " SERIALIZABLE, AUTOCOMMIT.",
        ),
        (
            "creator",
            "shop:connect",
            "A `sqlalchemy.*` setting can't be used: TypeError: 'str' object is not callable.",
        ),
    ],
)
def test_an_option_of_the_engine_that_cannot_be_used(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, key: str, value: str, error: str
) -> None:
    (tmp_path / "test.sqlite").touch()
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url, f"sqlalchemy.{key}": value})
    refused(tmp_path, 2, error, OPTIONS_HINT, ini, "upgrade")


# The database


@pytest.mark.parametrize(
    ("change_url", "error", "hint"),
    [
        (
            {"password": PASSWORD},
            'password authentication failed for user "{user}"',
            "fix the user or the password in `sqlalchemy.url`.",
        ),
        (
            {"username": "nobody", "password": PASSWORD},
            'password authentication failed for user "nobody"',
            "fix the user or the password in `sqlalchemy.url`.",
        ),
        (
            {"database": "shopp"},
            'database "shopp" does not exist',
            "create it (`createdb shopp`), or fix `sqlalchemy.url`.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "current", "stamp head"])
def test_a_server_that_turns_this_user_away(
    tmp_path: Path,
    make_ini: MakeIni,
    postgresql_server: str,
    command: str,
    change_url: dict[str, str],
    error: str,
    hint: str,
) -> None:
    url = make_url(postgresql_server)
    changed = url.set(**change_url).render_as_string(hide_password=False)
    ini = make_ini({**AT_HAND, "sqlalchemy.url": changed})
    before = files(tmp_path)

    result = invoke(ini, *command.split())

    first, second = result.stderr.splitlines()
    assert result.returncode == 6
    assert result.stdout == ""
    assert first.startswith("Error: The database can't be used: connection to server ")
    assert first.endswith(f" failed: FATAL: {error.format(user=url.username)}.")
    assert second == f"Hint:  {hint}"
    assert PASSWORD not in result.stderr
    assert files(tmp_path) == before


IS_IT_RUNNING = "is the server running, and are host and port in `sqlalchemy.url` right?"


@pytest.mark.parametrize(
    ("url", "error", "hint"),
    [
        (
            f"postgresql://shop:{PASSWORD}@127.0.0.1:1/shop",
            'connection to server at "127.0.0.1", port 1 failed: Connection refused',
            IS_IT_RUNNING,
        ),
        (
            f"postgresql://shop:{PASSWORD}@/shop?host=/nowhere",
            'connection to server on socket "/nowhere/.s.PGSQL.5432" failed: No such file or'
            " directory",
            IS_IT_RUNNING,
        ),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_a_server_that_is_down(
    tmp_path: Path, make_ini: MakeIni, command: str, url: str, error: str, hint: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": url})
    refused(tmp_path, 6, f"The database can't be used: {error}.", hint, ini, command)


def test_an_unknown_host(tmp_path: Path, make_ini: MakeIni) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": f"postgresql://u:{PASSWORD}@db.invalid/shop"})

    result = invoke(ini, "upgrade")

    # The resolver's reason depends on the machine: "Name or service not known" and the like.
    first, second = result.stderr.splitlines()
    start = 'Error: The database can\'t be used: could not translate host name "db.invalid"'
    assert result.returncode == 6
    assert first.startswith(start)
    assert second == "Hint:  fix the host in `sqlalchemy.url`."


def test_what_a_server_answers_is_told_rather_than_a_refusal_before_it(
    make_ini: MakeIni, postgresql_server: str
) -> None:
    url = make_url(postgresql_server)
    if "host" not in url.query:
        pytest.skip("the server of MYAPP_TEST_POSTGRESQL_URL has no socket to add a host to")
    hosts = ["/nowhere", str(url.query["host"])]
    both = url.set(database="shopp").update_query_dict({"host": hosts})
    ini = make_ini({**AT_HAND, "sqlalchemy.url": both.render_as_string(hide_password=False)})

    result = invoke(ini, "upgrade")

    assert 'FATAL: database "shopp" does not exist.' in result.stderr.splitlines()[0]


SQLITE_HINT = "fix the path in `sqlalchemy.url`, or make the folder and let this user write there."


@pytest.mark.parametrize("command", ["upgrade", "current", "check", "stamp head", "history -i"])
@pytest.mark.parametrize(
    ("path", "why"),
    [("nowhere/shop.sqlite", "its folder does not exist"), ("migrations", "it is a folder")],
)
def test_an_sqlite_file_that_cannot_be_opened(
    tmp_path: Path, make_ini: MakeIni, command: str, path: str, why: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": f"sqlite:///{tmp_path}/{path}"})
    error = f"The SQLite file {tmp_path}/{path} can't be opened: {why}."
    refused(tmp_path, 6, error, SQLITE_HINT, ini, *command.split())


def test_an_sqlite_file_that_this_user_may_not_read(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    invoke(ini, "upgrade")
    with without_modes(tmp_path / "test.sqlite"):
        result = run(ini, "current", obeys_modes=True)
    error = f"The SQLite file {tmp_path}/test.sqlite can't be opened: unable to open database file."
    hint = "let this user read it; a command that changes the database writes it and its folder."
    assert result == Result(6, "", told(error, hint))


@pytest.mark.parametrize("command", ["upgrade", "current", "stamp head"])
def test_a_file_that_is_no_database(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, command: str
) -> None:
    (tmp_path / "test.sqlite").write_text("once upon a time " * 100)
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    error = "The database can't be used: file is not a database."
    hint = "`sqlalchemy.url` names a file that is no SQLite database."
    refused(tmp_path, 6, error, hint, ini, *command.split())


READ_ONLY = "The database can't be written: attempt to write a readonly database."
READ_ONLY_HINT = "is this user allowed to write the file and its folder?"


@pytest.mark.parametrize("command", ["upgrade", "stamp head", "ensure-version"])
def test_an_sqlite_file_that_is_opened_to_be_read(
    tmp_path: Path, make_ini: MakeIni, command: str
) -> None:
    (tmp_path / "test.sqlite").touch()
    url = f"sqlite:///file:{tmp_path}/test.sqlite?mode=ro&uri=true"
    ini = make_ini({**AT_HAND, "sqlalchemy.url": url})
    refused(tmp_path, 6, READ_ONLY, READ_ONLY_HINT, ini, *command.split())


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("command", ["upgrade", "downgrade base -q"])
def test_an_sqlite_file_that_this_user_may_not_write(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, command: str, what: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    second = Revision("bbbb2222", "aaaa1111", message="add b", **create_table("b"))
    invoke(ini, "upgrade")
    add_revision(tmp_path / "migrations", second)
    before = files(tmp_path)
    with read_only(tmp_path / "test.sqlite" if what == "file" else tmp_path):
        result = run(ini, *command.split(), obeys_modes=True)
        current = run(ini, "current", obeys_modes=True)

    lock = f"The lock file {tmp_path}/test.sqlite.migrate-lock can't be made: Permission denied."
    lock_hint = "this user must be able to write the folder of the database."
    expected = told(READ_ONLY, READ_ONLY_HINT) if what == "file" else told(lock, lock_hint)
    assert result == Result(6, "", expected)
    assert current == Result(0, "aaaa1111, add a\n", "")
    assert files(tmp_path) == before


def test_a_database_that_this_user_only_reads(
    tmp_path: Path, make_ini: MakeIni, postgresql_url: str
) -> None:
    url = make_url(postgresql_url).update_query_dict(
        {"options": "-c default_transaction_read_only=on"}
    )
    ini = make_ini({**AT_HAND, "sqlalchemy.url": url.render_as_string(hide_password=False)})
    error = "The database can't be written: cannot execute CREATE TABLE in a read-only transaction."
    hint = "name the primary server in `sqlalchemy.url`: this one, or this user, only reads."
    refused(tmp_path, 6, error, hint, ini, "upgrade")
    assert tables(postgresql_url) == set()


def test_an_unreadable_ini(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with without_modes(path):
        result = run(path, "upgrade", obeys_modes=True)
    error = f"{path} can't be read: Permission denied."
    assert result == Result(2, "", told(error, "let this user read it."))


def test_an_unreadable_revision_file(tmp_path: Path) -> None:
    path = tmp_path / "migrations" / "versions" / "aaaa1111_.py"
    with without_modes(path):
        result = run(write(tmp_path, GOOD), "upgrade", obeys_modes=True)
    error = f"Revision file {path} can't be read: Permission denied."
    hint = "make it readable UTF-8 text, or take it away."
    assert result == Result(2, "", told(error, hint))


def test_a_working_directory_that_is_read_only_is_no_error(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with read_only(folder):
        result = run(ini, "upgrade", "--quiet", cwd=folder, obeys_modes=True)
    assert result == Result(0, "", "")
    assert tables(sqlite_url) == {"a", "alembic_version"}


def test_a_versions_folder_that_is_read_only(tmp_path: Path) -> None:
    ini = write(tmp_path, GOOD)
    versions = tmp_path / "migrations" / "versions"
    before = files(tmp_path)
    with read_only(versions):
        result = run(ini, "revision", "--rev-id", "bbbb2222", obeys_modes=True)
    error = f"No revision was written: {versions}/bbbb2222_.py: Permission denied."
    hint = "the folder must be writable, and script.py.mako stand beside env.py."
    assert result == Result(2, "", told(error, hint))
    assert files(tmp_path) == before


def test_a_missing_template(tmp_path: Path) -> None:
    ini = write(tmp_path, GOOD)
    template = tmp_path / "migrations" / "script.py.mako"
    template.unlink()
    error = f"No revision was written: {template}: No such file or directory."
    hint = "the folder must be writable, and script.py.mako stand beside env.py."
    refused(tmp_path, 2, error, hint, ini, "revision", "-m", "add b")


# The version table


@pytest.mark.parametrize("command", ["upgrade", "stamp head", "ensure-version"])
def test_a_version_table_in_a_missing_schema(
    tmp_path: Path, make_ini: MakeIni, postgresql_url: str, command: str
) -> None:
    ini = make_ini(
        {**AT_HAND, "sqlalchemy.url": postgresql_url, "alembic.version_table_schema": "ops"}
    )
    error = "The version table's schema doesn't exist: schema \"ops\" does not exist."
    hint = "create it (`CREATE SCHEMA ...`), or fix `alembic.version_table_schema`."
    refused(tmp_path, 2, error, hint, ini, *command.split())
    assert tables(postgresql_url) == set()


def test_sqlite_has_no_schema_for_the_version_table(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    (tmp_path / "test.sqlite").touch()
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url, "alembic.version_table_schema": "ops"})
    error = "The version table's schema doesn't exist: unknown database ops."
    hint = "take `alembic.version_table_schema` out: SQLite has no schemas."
    refused(tmp_path, 2, error, hint, ini, "upgrade")


@pytest.mark.parametrize("command", ["upgrade", "current", "stamp head", "downgrade base"])
def test_a_version_table_that_is_a_table_of_the_application(
    tmp_path: Path, make_ini: MakeIni, database_url: str, command: str
) -> None:
    change(database_url, "CREATE TABLE users (id INTEGER)", "INSERT INTO users VALUES (7)")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": database_url, "alembic.version_table": "users"})
    said = (
        "no such column: users.version_num"
        if database_url.startswith("sqlite")
        else "column users.version_num does not exist"
    )
    error = f"The version table is a table of something else: {said}."
    hint = "fix `alembic.version_table`; without it, the table is `alembic_version`."
    refused(tmp_path, 2, error, hint, ini, *command.split())
    assert rows(database_url, "SELECT * FROM users") == [(7,)]
    assert tables(database_url) == {"users"}


@pytest.mark.parametrize(
    ("row", "shown"),
    [("''", "'', which is not an id"), ("' '", "' ', which is not an id"), ("NULL", "NULL")],
)
def test_a_version_table_with_a_row_that_is_no_revision(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, row: str, shown: str
) -> None:
    table = "CREATE TABLE alembic_version (version_num varchar(32))"
    change(sqlite_url, table, f"INSERT INTO alembic_version VALUES ({row})")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    error = (
        f"The version table alembic_version holds {shown}, so where the database stands can't be"
        " told."
    )
    hint = (
        f"if you know it, `myapp-migrate {ini} stamp --purge REVISION` writes it (`base` for none)."
    )
    refused(tmp_path, 2, error, hint, ini, "current")


def test_a_version_table_that_can_be_mended(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    table = "CREATE TABLE alembic_version (version_num varchar(32))"
    change(sqlite_url, table, "INSERT INTO alembic_version VALUES ('aaaa1111'), ('aaaa1111')")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    error = (
        "The version table alembic_version holds aaaa1111 twice, so where the database stands can't"
        " be told."
    )
    hint = f"`myapp-migrate {ini} repair` shows what it would write, and asks."
    for command in ("current", "current --check-heads", "upgrade", "wait --timeout 0"):
        refused(tmp_path, 2, error, hint, ini, *command.split())


def test_an_application_without_its_revision_files(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    invoke(ini, "upgrade")
    (tmp_path / "migrations" / "versions" / "aaaa1111_.py").unlink()
    error = (
        "The database stands at aaaa1111, and this code has no revisions. The version table"
        " alembic_version says so."
    )
    hint = f"are the revision files deployed, and may this user read {tmp_path}/migrations?"
    refused(tmp_path, 7, error, hint, ini, "upgrade")


# The command line


@pytest.mark.parametrize(
    "args", [["upgrade"], ["upgrade", "development.ini"], ["--quiet", "upgrade", "head"]]
)
def test_a_command_in_the_place_of_the_ini_tells_the_order(tmp_path: Path, args: list[str]) -> None:
    error = "`upgrade` stands where the .ini file should."
    hint = "the order is: `myapp-migrate development.ini upgrade`."
    refused(tmp_path, 2, error, hint, *args)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_a_command_in_the_place_of_the_ini_still_has_its_help(option: str) -> None:
    result = invoke("upgrade", option)
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: myapp-migrate CONFIG_URI upgrade [OPTIONS] [REVISION]")
    assert result.stderr == ""


def test_the_ini_in_the_place_of_the_command_tells_the_order(tmp_path: Path) -> None:
    error = "`app.ini` stands where the command should."
    hint = "the order is: `myapp-migrate app.ini upgrade`."
    refused(tmp_path, 2, error, hint, "upgrde", "app.ini")


COMMANDS_HINT = "`myapp-migrate --help` shows the order, the options and the commands."
BETWEEN_HINT = "options stand before the .ini file or after the command."


@pytest.mark.parametrize(
    ("args", "error", "hint"),
    [
        ("{ini} upgrde", "No such command 'upgrde'. Did you mean 'upgrade'?", COMMANDS_HINT),
        ("{ini} frobnicate", "No such command 'frobnicate'.", COMMANDS_HINT),
        ("{ini}", "Missing command.", COMMANDS_HINT),
        ("{ini} db=test", "Missing command.", COMMANDS_HINT),
        ("--jsn {ini} upgrade", "No such option '--jsn'. Did you mean '--json'?", COMMANDS_HINT),
        (
            "{ini} upgrade --sqll",
            "No such option '--sqll'. Did you mean '--sql'?",
            "`myapp-migrate {ini} upgrade --help` shows what it takes.",
        ),
        (
            "{ini} --sql upgrade",
            "`--sql` stands between the .ini file and the command.",
            BETWEEN_HINT,
        ),
        (
            "{ini} downgrade",
            "Missing argument 'REVISION'.",
            "type `myapp-migrate {ini} downgrade -1`, or name a revision or `base`.",
        ),
        (
            "{ini} scratch --",
            "Missing argument 'COMMAND...'.",
            "type `myapp-migrate {ini} scratch -- pytest`, or another command after `--`.",
        ),
        (
            "{ini} upgrade head head",
            "Got unexpected extra argument (head).",
            "`myapp-migrate {ini} upgrade --help` shows what it takes.",
        ),
        (
            "{ini} upgrade -x",
            "Option '-x' requires an argument.",
            "`myapp-migrate {ini} upgrade --help` shows what it takes.",
        ),
    ],
)
def test_a_command_line_that_means_nothing(
    tmp_path: Path, args: str, error: str, hint: str
) -> None:
    ini = write(tmp_path, GOOD)
    refused(tmp_path, 2, error, hint.format(ini=ini), *args.format(ini=ini).split())


def test_no_arguments_show_the_help() -> None:
    result = invoke()
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: myapp-migrate [OPTIONS] CONFIG_URI [NAME=VALUE]...")


def test_a_hint_can_be_pasted_as_it_stands(tmp_path: Path) -> None:
    ini = write(tmp_path, GOOD.replace("migrations", "gone"), "my shop's.ini")
    result = invoke(ini, "stage=to test", "upgrade")
    pasted = f"""myapp-migrate '{tmp_path}/my shop'"'"'s.ini' 'stage=to test' init FOLDER`.\n"""
    assert result.stderr.endswith(pasted)


# Revisions


@pytest.mark.parametrize(
    ("args", "error", "hint"),
    [
        (
            "upgrade aaaa1112",
            "There is no revision `aaaa1112`.",
            "did you mean `aaaa1111` (add a)?",
        ),
        ("upgrade haed", "There is no revision `haed`.", "did you mean `head`?"),
        ("upgrade phone", "There is no revision `phone`.", "did you mean `bbbb3333` (add phone)?"),
        ("upgrade zzz", "There is no revision `zzz`.", "`{cmd} history` lists the revisions."),
        (
            "upgrade bbbb",
            "`bbbb` could be any of 2 revisions: bbbb3333 (add phone), bbbb2222 (add b).",
            "type more of the revision's id.",
        ),
        (
            "upgrade -1",
            "`upgrade` can't go down: `-1`.",
            "type `{cmd} downgrade -1`, or turn the sign.",
        ),
        (
            "downgrade +1",
            "`downgrade` can't go up: `+1`.",
            "type `{cmd} upgrade +1`, or turn the sign.",
        ),
        (
            "downgrade -99",
            "`-99` asks for 99 revisions down, and there are fewer.",
            "`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        ),
        (
            "upgrade +99",
            "`+99` asks for 99 revisions up, and there are fewer.",
            "`{cmd} history` shows how many there are; `heads` and `base` are the ends.",
        ),
        (
            "upgrade aaaa1111:head",
            "`aaaa1111:head` is a range, and one revision is needed here.",
            "a range is for `history --rev-range`, or `--sql` of `upgrade`, `downgrade`, `stamp`.",
        ),
        (
            "downgrade base --sql",
            "`downgrade --sql` needs a start: it does not look at the database.",
            "write `downgrade FROM:base --sql`; FROM may be `current`.",
        ),
        (
            "upgrade bbbb2222:aaaa1111 --sql",
            "`bbbb2222:aaaa1111` leads down, and `upgrade` can't.",
            "turn the range round, or type `{cmd} downgrade bbbb2222:aaaa1111 --sql`.",
        ),
        (
            "downgrade aaaa1111:bbbb2222 --sql",
            "`aaaa1111:bbbb2222` leads up, and `downgrade` can't.",
            "turn the range round, or type `{cmd} upgrade aaaa1111:bbbb2222 --sql`.",
        ),
        (
            "history -r bbbb2222:aaaa1111",
            "`bbbb2222:aaaa1111` is the wrong way round: a range goes from the older revision to"
            " the newer.",
            "write `aaaa1111:bbbb2222`.",
        ),
        (
            "history -r head",
            "`head` is not a range of revisions.",
            "write `[start]:[end]`, such as `-r base:current`, `-r ab12:` or `-r :head`.",
        ),
        (
            "revision --rev-id a/b",
            "A revision's id can't have '/' in it, as `a/b` has.",
            "use letters, digits and `_`, or leave out `--rev-id` to have one made.",
        ),
        (
            "revision --rev-id head",
            "`head` has a meaning of its own, so it can't be a revision's id.",
            "leave out `--rev-id` to have one made.",
        ),
    ],
)
def test_a_revision_that_cannot_be_meant(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, args: str, error: str, hint: str
) -> None:
    add_revision(tmp_path / "migrations", Revision("bbbb2222", "aaaa1111", message="add b"))
    add_revision(tmp_path / "migrations", Revision("bbbb3333", "bbbb2222", message="add phone"))
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    invoke(ini, "upgrade", "aaaa1111")
    hint = hint.replace("{cmd}", f"myapp-migrate {ini}")
    refused(tmp_path, 2, error, hint, ini, *args.split())


def test_an_empty_revision_is_a_variable_that_is_not_set(tmp_path: Path) -> None:
    hint = "is a variable of the shell unset? Name a revision."
    refused(tmp_path, 2, "The revision is empty.", hint, write(tmp_path, GOOD), "upgrade", "")


@pytest.mark.parametrize("revision", ["'; DROP TABLE a; --", "%s", "a\x00b", "\x1b[31m", "ü😀"])
def test_an_odd_revision_is_no_revision(tmp_path: Path, revision: str) -> None:
    ini = write(tmp_path, GOOD)
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in revision)
    hint = f"`myapp-migrate {ini} history` lists the revisions."
    refused(tmp_path, 2, f"There is no revision `{shown}`.", hint, ini, "upgrade", revision)


# env.py and the models


@pytest.mark.parametrize(
    ("env", "where", "error"),
    [
        ("raise ValueError('boo')\n", " (line 1)", "ValueError: boo"),
        ("\n\nraise ValueError\n", " (line 3)", "ValueError"),
        ("def broken(:\n", " (line 1)", "SyntaxError: invalid syntax (env.py, line 1)"),
        ("import sys\nsys.exit()\n", " (line 2)", "SystemExit"),
        ("import sys\nsys.exit(3)\n", " (line 2)", "SystemExit: 3"),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "current", "stamp head", "upgrade --sql", "check"])
def test_an_env_py_that_fails(
    tmp_path: Path,
    make_ini: MakeIni,
    sqlite_url: str,
    command: str,
    env: str,
    where: str,
    error: str,
) -> None:
    path = tmp_path / "migrations" / "env.py"
    path.write_text(env)
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    refused(
        tmp_path,
        2,
        f"{path}{where} failed before any migration ran: {error}.",
        "fix it; `--traceback` before CONFIG_URI shows the way there.",
        ini,
        *command.split(),
    )


READS_BY_ITSELF = (
    "an env.py that reads the .ini file by itself knows no `${NAME}` and no NAME=VALUE pair of the"
    " command line: let it call `myapp.migrator.environment.run_migrations()`."
)


@pytest.mark.parametrize(
    ("env", "error", "hint"),
    [
        (
            "import gone\n",
            "ModuleNotFoundError: No module named 'gone'",
            "install what it imports (`pip install -e .` for the application itself), or set"
            " `alembic.prepend_sys_path = %(here)s`.",
        ),
        (
            "import sqlalchemy; sqlalchemy.create_engine('${DATABASE_URL}')\n",
            "ArgumentError: Could not parse SQLAlchemy URL from given URL string",
            READS_BY_ITSELF,
        ),
        (
            "import configparser; p = configparser.ConfigParser()\n"
            "p.read_string('[a]\\nb = %(pw)s'); p.get('a', 'b')\n",
            "InterpolationMissingOptionError: Bad value substitution: option 'b' in section 'a'"
            " contains an interpolation key 'pw' which is not a valid option name. Raw value:"
            " '%(pw)s'",
            READS_BY_ITSELF,
        ),
    ],
)
def test_an_env_py_that_is_short_of_something(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, env: str, error: str, hint: str
) -> None:
    path = tmp_path / "migrations" / "env.py"
    path.write_text(env)
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    lines = env.count("\n")
    refused(
        tmp_path,
        2,
        f"{path} (line {lines}) failed before any migration ran: {error}.",
        hint,
        ini,
        "upgrade",
    )


@pytest.mark.parametrize("command", ["upgrade", "current", "stamp head", "downgrade base"])
def test_an_env_py_that_does_nothing(
    tmp_path: Path, make_ini: MakeIni, sqlite_url: str, command: str
) -> None:
    (tmp_path / "migrations" / "env.py").write_text("")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    error = "env.py ended without running Alembic, so nothing is known of the database."
    hint = "let it call `context.configure()` and `context.run_migrations()`."
    refused(tmp_path, 2, error, hint, ini, *command.split())


FIX_IT = "fix that module; `--traceback` before CONFIG_URI shows the way there."
AS_METADATA = "write it as `package.module:Base.metadata`."
INSTALL = (
    "package installed (`pip install -e .` for the application itself)? A folder beside the .ini"
    " file needs `alembic.prepend_sys_path = %(here)s`."
)


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        (
            "gone:Base.metadata",
            "which can't be imported: No module named 'gone'",
            f"is it spelt right, and its {INSTALL}",
        ),
        (
            "myapp.modles.Base.metadata",
            "which can't be imported: module 'myapp' has no attribute 'modles'",
            AS_METADATA,
        ),
        (
            "myapp.modles:Base.metadata",
            "which can't be imported: No module named 'myapp.modles'",
            f"is it spelt right, and its {INSTALL}",
        ),
        (
            "shop_models_that_lack:Base.metadata",
            "which can't be imported: {folder}/shop_models_that_lack.py (line 1):"
            " ModuleNotFoundError: No module named 'gone'",
            f"is that {INSTALL}",
        ),
        (
            "myapp.models:Bass.metadata",
            "which can't be imported: module 'myapp.models' has no attribute 'Bass'",
            AS_METADATA,
        ),
        ("myapp.models:Base", "which is not a MetaData of SQLAlchemy", AS_METADATA),
        (
            "shop_models_that_raise:Base.metadata",
            "which can't be imported: {folder}/shop_models_that_raise.py (line 1): RuntimeError: no"
            " network",
            FIX_IT,
        ),
        (
            "shop_models_in_pieces:Base.metadata",
            "which can't be imported: {folder}/shop_models_in_pieces.py (line 2): SyntaxError:"
            " invalid syntax",
            FIX_IT,
        ),
        (
            "shop_models_that_sqlalchemy_refuses:metadata",
            "which can't be imported: {folder}/shop_models_that_sqlalchemy_refuses.py (line 3):"
            " ArgumentError: Column object 'id' already assigned to Table 'a'",
            FIX_IT,
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "revision --autogenerate -m x"])
def test_models_that_cannot_be_imported(
    tmp_path: Path,
    make_ini: MakeIni,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    name: str,
    error: str,
    hint: str,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, "raise RuntimeError('no network')\n", "shop_models_that_raise.py")
    write(tmp_path, "import gone\n", "shop_models_that_lack.py")
    write(tmp_path, "\n1 +\n", "shop_models_in_pieces.py")
    twice = "from sqlalchemy import *\nm, c = MetaData(), Column('id', Integer)\n"
    twice += "Table('a', m, c), Table('b', m, c)\n"
    write(tmp_path, twice, "shop_models_that_sqlalchemy_refuses.py")
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url, "alembic.target_metadata": name})
    assert invoke(ini, "upgrade", "--quiet") == Result(0, "", "")
    error = f"`alembic.target_metadata` is `{name}`, {error.format(folder=tmp_path)}."
    refused(tmp_path, 2, error, hint, ini, *command.split())


@pytest.mark.parametrize("command", ["check", "revision --autogenerate -m x"])
def test_no_models(tmp_path: Path, make_ini: MakeIni, sqlite_url: str, command: str) -> None:
    ini = make_ini({**AT_HAND, "sqlalchemy.url": sqlite_url})
    invoke(ini, "upgrade")
    error = "There are no models to compare the database with: env.py has no `target_metadata`."
    hint = (
        "add `alembic.target_metadata = package.models:Base.metadata`, or set it in an env.py of"
        " your own."
    )
    refused(tmp_path, 2, error, hint, ini, *command.split())


# Logging

LOGGING = """\
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        ("WARNING", "LOUD", "ValueError: Unknown level: 'LOUD'"),
        ("[handler_console]", "[handler_terminal]", "KeyError: 'handler_console'"),
        ("keys = root", "names = root", "KeyError: 'keys'"),
        ("= StreamHandler", "= Stream", "ModuleNotFoundError: No module named 'Stream'"),
        ("(sys.stderr,)", "(sys.stdin.nothing,)", "AttributeError: "),
        ("(sys.stderr,)", "(exit(3),)", "SystemExit: 3"),
        ("(sys.stderr,)", "(1 / 0,)", "ZeroDivisionError: division by zero"),
    ],
)
def test_logging_sections_that_cannot_be_used(
    tmp_path: Path, good: str, bad: str, error: str
) -> None:
    assert good in LOGGING
    path = write(tmp_path, GOOD + LOGGING.replace(good, bad))
    before = files(tmp_path)

    result = invoke(path, "upgrade")

    first, second = result.stderr.splitlines()
    assert result.returncode == 2
    assert result.stdout == ""
    assert first.startswith(f"Error: The logging sections of {path} can't be used: {error}")
    assert second == "Hint:  fix [loggers], [handlers] and [formatters]."
    assert files(tmp_path) == before
