"""Compare the fixtures of tests with migrating a database for each test.

    python benchmarks/fixtures.py [--tests 100] [--revisions 50]

runs real pytest processes on SQLite and on a PostgreSQL server of its own. Each test opens its
database, finds a table empty and its sequence at the start, and writes a row. The same tests on one
database that they share tell what pytest and the tests themselves take. It ends with status 1 when
a fresh database by the fixtures doesn't come 20 times as fast.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from databases import PROJECT, postgresql_server

TARGET = 20
ROUNDS = 3
REVISION = """\
revision, down_revision = {revision!r}, {before!r}


def upgrade():
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )


def downgrade():
    op.drop_table("t{number}")
"""
EACH = """\
import itertools
import os
import pytest
import sqlalchemy as sa
from alembic import command
from myapp.migrator.config import alembic_config

numbers, configured = itertools.count(), sa.make_url(os.environ["TEST_URL"])


@pytest.fixture(scope=SCOPE)
def url(tmp_path_factory):
    number = next(numbers)
    if configured.get_backend_name() == "sqlite":
        url = configured.set(database=str(tmp_path_factory.mktemp("each") / "test.sqlite"))
    else:
        admin = sa.create_engine(configured, isolation_level="AUTOCOMMIT")
        url = configured.set(database=f"each_{number}")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {url.database}")
    os.environ["TEST_URL"] = url.render_as_string(hide_password=False)
    command.upgrade(alembic_config("app.ini"), "heads")
    yield url
    if configured.get_backend_name() != "sqlite":
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {url.database} WITH (FORCE)")
        admin.dispose()


@pytest.fixture
def engine(url):
    made = sa.create_engine(url)
    yield made
    made.dispose()
"""
OURS = """\
import pytest


@pytest.fixture
def engine(migrated_engine):
    return migrated_engine
"""
CONFTESTS = {
    "ours": OURS,
    "each": EACH.replace("SCOPE", "'function'"),
    "shared": EACH.replace("SCOPE", "'session'"),
}
TESTS = """\
import pytest
import sqlalchemy as sa


@pytest.mark.parametrize("number", range(COUNT))
def test_it(number, engine):
    with engine.begin() as connection:
        count = connection.scalar(sa.text("SELECT count(*) FROM tLAST"))
        connection.execute(sa.text("INSERT INTO tLAST (name) VALUES ('a')"))
        last = connection.scalar(sa.text("SELECT max(id) FROM tLAST"))
    assert (count, last) == (EXPECTED)
"""


def main() -> int:
    """Measure both databases, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", type=int, default=100)
    parser.add_argument("--revisions", type=int, default=50)
    given = parser.parse_args()
    # PostgreSQL's own server makes its folder readable for itself alone: it comes first.
    with postgresql_server() as admin_url, tempfile.TemporaryDirectory() as folder:
        url = admin_url.replace("postgresql://", "postgresql+psycopg2://")
        for name, used in (("SQLite", f"sqlite:///{folder}/app.sqlite"), ("PostgreSQL", url)):
            is_met = compare(name, Path(folder, name), used, given.tests, given.revisions)
            given.missed = getattr(given, "missed", False) or not is_met
    return int(given.missed)


def compare(name: str, folder: Path, url: str, tests: int, revisions: int) -> bool:
    """Measure one database, print the figures, and tell whether the target is met."""
    write_project(folder, tests, revisions)
    # The first run of the fixtures finds no template, and makes it.
    first = call(folder, "ours", url)
    each = call(folder, "each", url)
    runs = [(call(folder, "shared", url), call(folder, "ours", url)) for _ in range(ROUNDS)]
    base, again = map(min, zip(*runs, strict=True))
    migrating = (each - base) / (tests - 1)  # the one database that was shared was migrated too
    copying = (again - base + migrating) / tests
    ratio = migrating / copying
    print(
        f"{name}, {tests} tests, {revisions} revisions, in seconds: on one database {base:.2f};"
        f" each migrating its own {each:.2f}; with the fixtures {first:.2f} at first, {again:.2f}"
        f" from then on. A fresh database takes {1000 * migrating:.0f} ms or"
        f" {1000 * copying:.1f} ms: {ratio:.0f} times as fast."
    )
    return ratio >= TARGET


def call(folder: Path, kind: str, url: str) -> float:
    """Run the tests in a process of their own, and return its seconds."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", kind],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "TEST_URL": url},
        check=False,
        encoding="utf-8",
        stdout=subprocess.PIPE,
    )
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - began


def write_project(folder: Path, tests: int, revisions: int) -> None:
    """Write the .ini file, its migrations, and the tests with either fixture."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "app.ini").write_text(
        "[app:main]\nuse = egg:myapp\nsqlalchemy.url = ${TEST_URL}\n"
        "alembic.script_location = migrations\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nmigrate_ini = app.ini\n")
    env = PROJECT / "myapp" / "migrations" / "env.py"
    (folder / "migrations" / "env.py").write_text(env.read_text())
    for number in range(revisions):
        names = {"revision": name_of(number), "before": name_of(number - 1) if number else None}
        text = "import sqlalchemy as sa\nfrom alembic import op\n\n"
        text += REVISION.format(number=number, **names)
        (versions / f"{name_of(number)}.py").write_text(text)
    for kind, fixture in CONFTESTS.items():
        (folder / kind).mkdir()
        (folder / kind / "conftest.py").write_text(fixture)
        text = TESTS.replace("COUNT", str(tests)).replace("LAST", str(revisions - 1))
        text = text.replace("EXPECTED", "number, number + 1" if kind == "shared" else "0, 1")
        (folder / kind / "test_it.py").write_text(text)


def name_of(number: int) -> str:
    """Return the id of a revision."""
    return f"{number:04}abcdef01"


if __name__ == "__main__":
    sys.exit(main())
