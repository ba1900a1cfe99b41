"""Database URLs."""

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import NullPool, create_engine, text
from support.command import invoke
from support.history import MakeApp, Revision, create_table, foreign_env
from support.postgresql import PASSWORD
from support.processes import write_env

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.database.url import engine_url, sqlite_file
from myapp.migrator.settings.redaction import Redactor
from myapp.migrator.settings.url_secrets import secrets_in


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_a_bare_postgresql_url_means_psycopg2(scheme: str) -> None:
    url = engine_url(f"{scheme}://deploy:s3cret@db.example.com:5433/shop?sslmode=require")
    assert url.render_as_string(hide_password=False) == (
        "postgresql+psycopg2://deploy:s3cret@db.example.com:5433/shop?sslmode=require"
    )


@pytest.mark.parametrize(
    "scheme", ["postgresql+psycopg", "postgresql+asyncpg", "postgresql+pg8000", "sqlite", "mysql"]
)
def test_every_other_driver_is_kept(scheme: str) -> None:
    assert engine_url(f"{scheme}://h/db").drivername == scheme


def test_a_bare_url_connects_with_every_special_character_in_its_password(
    postgresql_url: str,
) -> None:
    assert quote(PASSWORD, safe="") in postgresql_url
    engine = create_engine(engine_url(postgresql_url))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", ""),
        ("s3cret", ""),
        ("postgresql", ""),
        ("postgresql:/s3cret", ""),
        ("postgresql://u:s3cret@h:port/db", ": its port is no number"),
    ],
)
def test_what_is_no_url_is_explained_without_showing_it(url: str, why: str) -> None:
    with pytest.raises(SettingsError) as caught:
        engine_url(url)
    assert caught.value.message == f"`sqlalchemy.url` is not a database URL{why}."
    assert caught.value.hint == (
        "write `dialect://user:password@host:port/database`; in a password, `@`, `/`, `:`, `#` and"
        " `%` stand as %40, %2F, %3A, %23 and %25, in an .ini file with `%%` for `%`."
    )
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql://u:s3cret@h/db", {"s3cret"}),
        (
            f"postgresql://u:{quote(PASSWORD, safe='')}@h/db",
            {PASSWORD, "p%40ss%25%2Fw%3Aord%231"},
        ),
        (f"postgresql://u:{PASSWORD}@h/db", {PASSWORD}),
        ("postgresql://u:s3cret@h:port/db", {"s3cret"}),
        ("postgresql://:s3cret@/db", {"s3cret"}),
        ("postgresql:///db?user=u&password=s3%40cret", {"s3%40cret", "s3@cret"}),
        ("postgresql:///db?sslpassword=s3cret&sslmode=require", {"s3cret"}),
        ("postgresql://u:one@h/db?sslpassword=a+b", {"one", "a+b", "a b"}),
        ("mssql:///?odbc_connect=DRIVER&PWD=s3cret", {"s3cret"}),
        ("mysql://u@h/db?access_token=s3cret", {"s3cret"}),
    ],
)
def test_secrets_are_found_as_typed_and_as_meant(url: str, secrets: set[str]) -> None:
    assert secrets <= set(secrets_in(url))


@pytest.mark.parametrize(
    "url",
    ["sqlite:///x.sqlite", "postgresql://u@h/db", "postgresql://h:5432/db?host=/tmp", "nonsense"],
)
def test_a_url_without_a_secret_has_none(url: str) -> None:
    assert set(secrets_in(url)) == set()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{}",
        "sqlite+pysqlite:///{}",
        "sqlite:///{}?timeout=3",
        "sqlite:///file:{}?uri=true",
        "sqlite:///file:{quoted}?uri=true",
        "sqlite:///file:{}?mode=rwc&uri=true",
    ],
)
def test_the_file_of_an_sqlite_url_is_the_one_that_connecting_makes(
    url: str, tmp_path: Path
) -> None:
    path = tmp_path / "a file.sqlite"
    made = engine_url(url.format(path, quoted=str(path).replace(" ", "%20")))
    assert sqlite_file(made) == str(path)
    assert not path.exists()
    engine = create_engine(made)
    engine.connect().close()
    engine.dispose()
    assert path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:shared?mode=memory&cache=shared&uri=true",
        "postgresql:///file",
    ],
)
def test_a_url_without_an_sqlite_file_has_none(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_file(engine_url(url)) is None
    if url.startswith("sqlite"):
        create_engine(url, poolclass=NullPool).connect().close()
    assert list(tmp_path.iterdir()) == []


# URLs as libpq has them


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://h1:5432,h2:5433/shop", {"host": "h1,h2", "port": "5432,5433"}),
        ("postgresql://h1,h2:5433/shop", {"host": "h1,h2", "port": ",5433"}),
        ("postgresql+psycopg://h1,h2/shop", {"host": "h1,h2"}),
        ("postgres://[::1]:5432,h2/shop", {"host": "::1,h2", "port": "5432,"}),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/shop", {"host": "/var/run/postgresql"}),
        ("postgresql://%2Frun:5433/shop", {"host": "/run", "port": "5433"}),
        ("postgresql://h1,h2/shop?host=h3", {"host": "h3"}),
    ],
)
@pytest.mark.parametrize("user", ["", "deploy@", "deploy:p%40ss%2C,w@"])
def test_hosts_are_read_as_libpq_reads_them(url: str, place: dict[str, str], user: str) -> None:
    scheme, rest = url.split("://")
    parsed = engine_url(f"{scheme}://{user}{rest}")
    assert dict(parsed.query) == place
    assert (parsed.host, parsed.port, parsed.database) == (None, None, "shop")
    assert parsed.username == ("deploy" if user else None)
    assert parsed.password == ("p@ss,,w" if ":" in user else None)
    assert engine_url(parsed.render_as_string(hide_password=False)) == parsed


def test_what_follows_several_hosts_is_kept() -> None:
    parsed = engine_url("postgresql://h1,h2/shop?target_session_attrs=read-write&sslmode=require")
    assert dict(parsed.query) == {
        "host": "h1,h2",
        "target_session_attrs": "read-write",
        "sslmode": "require",
    }


@pytest.mark.parametrize("hosts", ["h1:x,h2", "h1,h2:5432:1", "h1,[::1"])
def test_a_port_of_several_that_is_no_number_is_refused(hosts: str) -> None:
    with pytest.raises(SettingsError, match="is not a database URL: its port is no number"):
        engine_url(f"postgresql://deploy:s3cret@{hosts}/shop")


@pytest.mark.parametrize("quote_", ["'", '"'])
def test_a_url_in_quotes_is_refused_with_what_keeps_them(quote_: str) -> None:
    with pytest.raises(SettingsError) as caught:
        engine_url(f"{quote_}postgresql://deploy:s3cret@h/shop{quote_}")
    assert caught.value.message == (
        "`sqlalchemy.url` stands in quotes, which are no part of a URL."
    )
    assert caught.value.hint == (
        "take them out of the .ini file, or of the variable that it names: `docker --env-file` and"
        " .ini files keep them."
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://deploy:s3cret@h1:5432,h2:5433/shop",
        "postgresql://deploy:s3cret@%2Fvar%2Frun/shop",
        '"postgresql://deploy:s3cret@h/shop"',
    ],
)
def test_the_password_of_such_a_url_is_known_as_a_secret(url: str) -> None:
    assert set(secrets_in(url)) == {"s3cret"}
    redactor = Redactor()
    redactor.add(secrets_in(url))
    assert "s3cret" not in redactor.redact(f"{url} s3cret")
    assert "s3cret" not in Redactor().redact(f"could not connect to {url}")


@pytest.mark.parametrize(
    "place", ["127.0.0.1:1,{socket}", "{socket},127.0.0.1:1", "{socket}"], ids=str
)
@pytest.mark.parametrize("env", [None, foreign_env()], ids=["own", "foreign"])
def test_every_command_works_with_them(
    place: str, env: str | None, make_app: MakeApp, postgresql_url: str
) -> None:
    parts = urlsplit(postgresql_url)
    if "host=" not in parts.query:
        pytest.skip("the server of MYAPP_TEST_POSTGRESQL_URL has no socket")
    socket = quote(parse_qs(parts.query)["host"][0], safe="")
    netloc = f"{parts.netloc.rpartition('@')[0]}@{place.format(socket=socket)}"
    url = parts._replace(netloc=netloc, query="").geturl()
    ini = make_app(url, [Revision("aaa111", message="add a", **create_table("a"))])
    if env:
        write_env(ini, env)
    for command, stdout in (
        ("upgrade", "Upgraded 1 revision"),
        ("upgrade", "Nothing to do"),
        ("current", "aaa111"),
        ("stamp base", ""),
    ):
        result = invoke(ini, *command.split())
        assert (result.returncode, stdout in result.stdout) == (0, True), result.stderr
        assert quote(PASSWORD, safe="") not in result.stdout + result.stderr
