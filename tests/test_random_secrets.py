"""Secrets made at random, in every place, through every kind of failure: none is shown."""

import json
import logging
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest
from support.command import invoke
from support.faults import Figure, chance, times
from support.history import Revision, make_history
from support.ini import write_ini

#: None of these letters stands beside another of them in anything else that is written.
RARE = "QJXZqjxzÄÖßЖщ日本😀"
MARKS = "'\"\\@:/%#?&=;+$!{}()[]<>|`^*~,. -_"
NOWHERE = "127.0.0.1:1"
#: How a person types a secret that has to be typed encoded.
ENCODED: list[Callable[[str], str]] = [lambda s: quote(s, safe=""), quote_plus]


@dataclass
class Setting:
    """An .ini file's settings, the NAME=VALUE pairs, and the environment that carry a secret."""

    settings: dict[str, str] = field(default_factory=dict)
    pairs: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


def make_secret(made: random.Random) -> str:
    """Return a secret of 6 to 900 characters, in which rare letters stand between marks."""
    length = made.choice([6, 9, 13, 20, 40, 120, 300, 900])
    kind = made.random()
    marks = "" if kind < 0.15 else made.choice([MARKS, "'\"", "\\'", "@:/", "%", " ", "'", "@"])
    chars = [
        made.choice(marks) if marks and made.random() < 0.3 else made.choice(RARE)
        for _ in range(length)
    ]
    # What surrounds a value is cut off by an .ini file; and `${` has a meaning.
    return f"{made.choice(RARE)}{''.join(chars)}{made.choice(RARE)}".replace("${", "$Q")


def in_a_url(made: random.Random, secret: str) -> Setting:
    scheme = made.choice(["postgresql", "postgres", "postgresql+psycopg2", "mysql", "nonsense"])
    typed = made.choice([*ENCODED, str])(secret)
    return Setting({"sqlalchemy.url": f"{scheme}://deploy:{typed}@{NOWHERE}/shop"})


def in_the_query(made: random.Random, secret: str) -> Setting:
    typed = made.choice([*ENCODED, lambda s: re.sub("[&;#]", "Q", s)])(secret)
    start = made.choice(["postgresql://", f"postgresql://{NOWHERE}", f"postgresql://u@{NOWHERE}"])
    key = made.choice(["password", "sslpassword"])
    rest = made.choice(["", "&connect_timeout=1"])
    return Setting({"sqlalchemy.url": f"{start}/shop?host=127.0.0.1&port=1&{key}={typed}{rest}"})


def in_a_pair(made: random.Random, secret: str) -> Setting:
    name = made.choice(["db_password", "token", "APP_SECRET", "pw"])
    in_url = name == "pw" or made.random() < 0.5
    typed = quote(secret, safe="") if in_url else secret
    url = f"postgresql://deploy:{{{name}}}@{NOWHERE}/shop" if in_url else "sqlite:///{here}/x"
    return Setting({"sqlalchemy.url": url, "app.x": f"{{{name}}}"}, [f"{name}={typed}"])


def in_the_environment(made: random.Random, secret: str) -> Setting:
    url = f"postgresql://deploy:${{SECRET_OF_TEST}}@{NOWHERE}/shop"
    return Setting({"sqlalchemy.url": url}, env={"SECRET_OF_TEST": quote(secret, safe="")})


def under_a_key(made: random.Random, secret: str) -> Setting:
    key = made.choice(["app.password", "session.secret", "alembic.api_token", "api_key"])
    return Setting({"sqlalchemy.url": "sqlite:///{here}/x.sqlite", key: secret})


def in_a_lock_url(made: random.Random, secret: str) -> Setting:
    typed = made.choice([*ENCODED, str])(secret)
    lock = f"postgresql://deploy:{typed}@{NOWHERE}/shop"
    return Setting({"sqlalchemy.url": f"postgresql://u@{NOWHERE}/shop", "migrate.lock_url": lock})


def in_connect_args(made: random.Random, secret: str) -> Setting:
    url = f"postgresql://u@{NOWHERE}/shop"
    plain = re.sub(r"['\"\\&;,\s]", "Q", secret)
    return Setting({"sqlalchemy.url": url, "sqlalchemy.connect_args": f"{{'password': '{plain}'}}"})


def nowhere(made: random.Random, secret: str) -> Setting:
    return Setting({"sqlalchemy.url": "sqlite:///{here}/x.sqlite"})


PLACES = [
    in_a_url,
    in_a_url,
    in_the_query,
    in_a_pair,
    in_a_pair,
    in_the_environment,
    under_a_key,
    in_a_lock_url,
    in_connect_args,
]


def asked(made: random.Random) -> list[str]:
    """Return a command that fails, or one that doesn't."""
    command = made.choice(
        [
            "upgrade", "current", "history", "show zzz", "stamp zzz", "downgrade base", "check",
            "wait --timeout 0", "ensure-version", "upgrade --nope", "upgrade head more", "nope",
            "upgrade -x a=b zzz", "upgrade --lock-wait x", "heads", "upgrade -v", "edit zzz",
        ]
    )  # fmt: skip
    return command.split()


def misplaced(made: random.Random, secret: str) -> tuple[list[str], list[str]]:
    """Return the words before and after CONFIG_URI, of which one has the secret."""
    name = made.choice(["db_password", "password", "db.secret", "token", "pw"])
    pair = f"{name}={secret}"
    known = f"db_password={secret}"
    return made.choice(
        [
            ([], ["upgrade", "head", pair]),
            ([], ["upgrade", pair]),
            ([], ["show", pair]),
            ([], ["stamp", pair]),
            ([], ["downgrade", pair, "--traceback"]),
            ([], ["history", "-r", pair]),
            ([], ["merge", pair, "head", "-m", "x"]),
            ([], ["upgrade", f"--{known}"]),
            ([], [f"--{known}", "upgrade"]),
            ([], ["-x", known, "upgrade", "zzz"]),
            ([], ["upgrade", "zzz", "-x", known]),
            ([], [f"1{known}", "upgrade"]),
            ([f"--{known}"], ["upgrade"]),
            ([known], ["upgrade"]),
            ([f"nope.ini?{known}"], ["upgrade"]),
        ]
    )


def shown_of(secret: str, written: str) -> str | None:
    """Return 4 characters in a row of `secret` that stand in `written`, in whatever spelling."""
    seen = {written, unquote(written), written.replace("''", "'"), re.sub(r"\\(.)", r"\1", written)}
    seen |= {written.replace("'\"'\"'", "'"), unquote(written.replace("+", " "))}
    seen |= {re.sub(r"(?:\\u[0-9a-f]{4})+", _unescaped, each) for each in [*seen]}
    for at in range(len(secret) - 3):
        part = secret[at : at + 4]
        if sum(char in RARE for char in part) >= 2 and any(part in each for each in seen):
            return part
    return None


def _unescaped(match: re.Match[str]) -> str:
    return str(json.loads(f'"{match[0]}"'))


@pytest.fixture(autouse=True)
def _quiet_logging() -> Iterator[None]:
    yield
    logging.root.setLevel(logging.WARNING)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the history stands, of one revision that can be applied to SQLite."""
    make_history(tmp_path / "m", [Revision("aaaa1", message="add a")])
    return tmp_path


def write(folder: Path, setting: Setting) -> Path:
    own = {"alembic.script_location": "m", "migrate.wait_db": "0", **setting.settings}
    names = [pair.partition("=")[0] for pair in setting.pairs]
    path = write_ini(folder / "app.ini", own)
    text = path.read_text().replace("{here}", str(folder))
    for name in names:
        text = text.replace(f"{{{name}}}", f"%({name})s")
    path.write_text(text)
    return path


def test_no_random_secret_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    made, count, failed = chance("secrets"), times(60, 4500), 0
    for number in range(count):
        secret = make_secret(made)
        before: list[str] = []
        if number % 4 == 0:
            setting = nowhere(made, secret)
            before, words = misplaced(made, secret)
        else:
            setting = made.choice(PLACES)(made, secret)
            words = asked(made)
        for name, value in setting.env.items():
            monkeypatch.setenv(name, value)
        ini = write(folder, setting)
        extra = made.choice([[], [], ["--json"], ["--traceback"], ["--json", "--traceback"]])
        uri = [] if before and "nope.ini" in before[0] else [str(ini)]
        # A pair's value stands in the .ini file's own words, where `%` is doubled.
        pairs = [pair.replace("%", "%%") for pair in setting.pairs]
        arguments = [*extra, *before, *uri, *pairs, *words]
        result = invoke(*arguments)
        part = shown_of(secret, result.stdout + result.stderr)
        assert part is None, (number, part, secret, arguments, setting, result)
        assert result.returncode != 70, (number, result.stderr[-3000:], arguments, setting, result)
        failed += result.returncode != 0
    assert failed > count / 2
    figure(f"secrets: {count} random settings, {failed} of them failed, none showed 4 characters")


#: Each is followed by the secret, or has it in the middle of more text than is shown.
LONG = {
    "an exception": "raise RuntimeError('x' * {before} + '=' + secret)",
    "lines": "raise RuntimeError('x' * {before} + ' =' + secret + '  \\n' + secret)",
    "a key": "raise KeyError('x' * {before} + '=' + secret)",
    "a statement": "op.execute(sa.text('SELECT nothing -- ' + 'x' * {before} + '=' + secret))",
    "a parameter": "op.execute(sa.text('SELECT nothing(:p)').bindparams(p=secret + 'x' * {before}))",  # noqa: E501 - one line of code
    "several": "op.get_bind().execute(sa.text('SELECT no(:p)'), [{{'p': 'x' * {before} + '=' + secret}}])",  # noqa: E501 - as above
    "what is printed": "print('x' * {before} + '=' + secret, [secret], {{'p': secret}}); raise ValueError",  # noqa: E501 - as above
}


@pytest.mark.parametrize("way", LONG)
@pytest.mark.parametrize("extra", [[], ["--json"], ["--traceback"], ["-v"]], ids=str)
def test_no_secret_is_shown_where_long_text_is_cut(
    folder: Path, way: str, extra: list[str]
) -> None:
    made = random.Random(f"{way} {extra}")
    versions = folder / "m" / "versions"
    for number in range(times(1, 60)):
        secret = make_secret(made)
        for path in versions.glob("*.py"):
            path.unlink()
        code = LONG[way].format(before=made.choice([0, 30, 130, 140, 149, 290, 480, 490, 499]))
        find = "secret = op.get_context().config.get_main_option('api_token')\n"
        path = versions / "aaaa1_.py"
        path.write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n\nrevision = 'aaaa1'\n"
            "down_revision = None\n\n\ndef upgrade():\n"
            + "".join(f"    {line}\n" for line in (find + code).splitlines())
        )
        os.utime(path, (number, number))
        setting = Setting(
            {"sqlalchemy.url": f"sqlite:///{folder}/x.sqlite", "alembic.api_token": secret}
        )
        result = invoke(*extra, write(folder, setting), "upgrade")
        assert result.returncode == 1, result.stderr
        part = shown_of(secret, result.stdout + result.stderr)
        assert part is None, (number, part, secret, result)
