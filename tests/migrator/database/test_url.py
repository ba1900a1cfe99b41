"""Database URLs."""

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import NullPool, create_engine, text
from support.postgresql import PASSWORD

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.database.url import engine_url, sqlite_file
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
