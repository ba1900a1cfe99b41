"""Secrets are found in every spelling, and nothing else is."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from myapp.migrator.settings.redaction import Redactor
from myapp.migrator.settings.url_secrets import secrets_in_settings

PASSWORDS = [
    "p@ss%/w:ord#1",
    'it\'s a \\ "quoted" one',
    "two  words",
    "pässwört-日本-😀",
    "%40%2F",
    "a+b&c=d;e?f",
    "tab\tand\\n",
    "S3cretS3cret",
    "postgres",
    "12345",
    "a1",
    "x",
    "/",
    "-!",
]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda s: quote(s, safe=""),
    "in a URL, slashes kept": quote,
    "in a URL, blanks as SQLAlchemy keeps them": lambda s: quote(s, safe=" +"),
    "in a query": quote_plus,
    "in lower case hexadecimals": lambda s: re.sub(
        "%[0-9A-F]{2}", lambda match: match[0].lower(), quote(s, safe="")
    ),
    "in an .ini file": lambda s: quote(s, safe="").replace("%", "%%"),
    "in a URL in a query": lambda s: quote(quote(s, safe=""), safe=""),
    "in JSON": lambda s: json.dumps(s)[1:-1],
    "in JSON that is not ASCII": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "in JSON in JSON": lambda s: json.dumps(json.dumps(s))[3:-3],
    "in a repr": lambda s: repr(s)[1:-1],
    "in an ASCII repr": lambda s: ascii(s)[1:-1],
    "in a repr of a repr": lambda s: repr(repr(s)[1:-1])[1:-1],
    "in a repr of bytes": lambda s: repr(s.encode())[2:-1],
    "in SQL": lambda s: s.replace("'", "''"),
    "in a connection string": lambda s: s.replace("\\", "\\\\").replace("'", "\\'"),
}


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_secret_is_found_in_every_spelling(
    redactor: Redactor, password: str, spelling: str
) -> None:
    redactor.add([password])
    spelt = SPELLINGS[spelling](password)
    for text in (f"before {spelt} after", f"'{spelt}'", f"={spelt}\n", spelt):
        assert redactor.redact(text) == text.replace(spelt, "***")


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_secret_is_found_in_a_url_wherever_the_url_stands(
    redactor: Redactor, password: str
) -> None:
    redactor.add([password])
    url = f"postgresql://deploy:{quote(password, safe='')}@db/shop"
    shown = redactor.redact(f"can't open '{url}', {json.dumps({'url': url})}")
    masked = "postgresql://deploy:***@db/shop"
    assert shown == f"can't open '{masked}', {json.dumps({'url': masked})}"


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("postgres", "postgresql+psycopg2://deploy@/postgresql_shop"),
        ("users", "create table users_archive, superusers"),
        ("a1", "[1/2] 3fa1b2a1 a11 ba1"),
        ("1", "10 revisions, 41 ms, v1.x1"),
        ("/", "/srv/app/production.ini and/or"),
        ("-!", "--!-"),
        ("12345", "112345 123456"),
    ],
)
def test_a_common_word_is_no_secret_within_another(
    redactor: Redactor, password: str, text: str
) -> None:
    redactor.add([password])
    assert redactor.redact(text) == text


def test_a_long_secret_is_found_within_a_word(redactor: Redactor) -> None:
    redactor.add(["S3cretS3cret"])
    assert redactor.redact("keyS3cretS3cretkey") == "key***key"


def test_of_two_secrets_the_longer_is_replaced_whole(redactor: Redactor) -> None:
    redactor.add(["p#ss"])
    redactor.add(["p#ssword"])
    assert redactor.redact("p#ssword p#ss") == "*** ***"


def test_nothing_is_replaced_where_nothing_is_secret(redactor: Redactor) -> None:
    redactor.add([""])
    text = "postgresql://deploy@db/shop?sslmode=require, https://example.com:443/a, a@b, x=1"
    assert redactor.redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("open mysql://u:s3cret@h/d now", "open mysql://u:***@h/d now"),
        ("redis://:s3cret@h:6379/0", "redis://:***@h:6379/0"),
        ("postgresql+asyncpg://u@corp:p@ss@h/d", "postgresql+asyncpg://u@corp:***@h/d"),
        ("host=h password=s3cret user=u", "host=h password=*** user=u"),
        ("password='s3 \\' cret' user=u", "password=*** user=u"),
        ("?user=u&password=s3cret&x=1", "?user=u&password=***&x=1"),
        ("?sslpassword=s3cret", "?sslpassword=***"),
        ("{'password': 's3cret', 'user': 'u'}", "{'password': ***, 'user': 'u'}"),
        ('{"password": "s3\\"cret"}', '{"password": ***}'),
        ("DRIVER=x;UID=u;PWD=s3cret;", "DRIVER=x;UID=u;PWD=***;"),
        ("CREATE ROLE r LOGIN PASSWORD 's3''cret' VALID", "CREATE ROLE r LOGIN PASSWORD *** VALID"),
    ],
)
def test_what_stands_where_a_password_stands_is_replaced_though_unknown(
    redactor: Redactor, text: str, shown: str
) -> None:
    assert redactor.redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "write `dialect://user:password@host:port/database`",
        "fe_sendauth: no password supplied",
        'password authentication failed for user "deploy"',
        "add a column password",
    ],
)
def test_talk_of_passwords_is_left_alone(redactor: Redactor, text: str) -> None:
    assert redactor.redact(text) == text


def test_the_password_of_libpq_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    assert Redactor().redact("it is s3cret") == "it is ***"


def test_secrets_are_found_in_settings_by_their_keys_and_in_urls() -> None:
    settings = {
        "sqlalchemy.url": "postgresql://u:one%21@h/d?sslpassword=two",
        "sqlalchemy.reading.url": "mysql://u:three@h/d",
        "db_password": "four%21",
        "API_TOKEN": "five",
        "session.secret": "six",
        "db_pass": "seven://u:eight@h",
        "passfile": "/home/u/.pgpass",
        "script_location": "myapp:migrations",
    }
    assert set(secrets_in_settings(settings)) == {
        "one%21",
        "one!",
        "two",
        "three",
        "four%21",
        "four!",
        "five",
        "six",
        "seven://u:eight@h",
        "eight",
    }


@pytest.mark.parametrize(
    "secret", ["begin-middle-end", "p@ss-w'rd-日本-%40", "ends-in-***", "aaaaaaaa"]
)
def test_what_others_have_left_of_a_secret_is_replaced_too(redactor: Redactor, secret: str) -> None:
    redactor.add([secret])
    cut = " ... (1234 characters truncated) ... "
    for at in range(3, len(secret) - 2):
        for spell in (str, lambda text: ascii(text)[1:-1], lambda text: quote(text, safe="")):
            start, end = spell(secret[:at]), spell(secret[at:])
            assert redactor.redact(f"x={start}{cut}{end}, y") == f"x=***{cut}***, y"
            assert redactor.redact(f"x={start}...") == "x=***..."
    assert (
        redactor.redact(f"x={quote('日本語')[:-1]}... y...") == f"x={quote('日本語')[:-1]}... y..."
    )
