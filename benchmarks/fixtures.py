"""Compare the fixtures of tests with migrating a database for each test.

    python benchmarks/fixtures.py [--tests 100] [--revisions 50]

runs pytest on SQLite and on a PostgreSQL server of its own. Each test opens a fresh database, finds
a table empty and its numbers at the start, and writes a row. Half of the tests migrate their
database, in turns with those that use the fixtures, so that both meet the same disturbances. What
is compared is what pytest takes before and after these tests. It ends with status 1 when the
fixtures are not 20 times as fast.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from databases import PROJECT, postgresql_server

TARGET = 20
REVISION = """\
import sqlalchemy as sa
from alembic import op

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
CONFTEST = """\
import itertools
import json
import os
import pytest
import sqlalchemy as sa
from alembic import command
from myapp.migrator.config import alembic_config

numbers, configured = itertools.count(), os.environ["TEST_URL"]
seconds = {"each": {}, "ours": {}}


@pytest.fixture
def each(tmp_path, monkeypatch):
    url, number = sa.make_url(configured), next(numbers)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(tmp_path / "test.sqlite"))
    else:
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        url = url.set(database=f"each_{number}")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {url.database}")
    monkeypatch.setenv("TEST_URL", url.render_as_string(hide_password=False))
    command.upgrade(alembic_config("app.ini"), "heads")
    made = sa.create_engine(url)
    yield made
    made.dispose()
    if url.get_backend_name() != "sqlite":
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {url.database} WITH (FORCE)")
        admin.dispose()


@pytest.fixture
def ours(migrated_engine):
    return migrated_engine


@pytest.fixture
def engine(kind, request):
    return request.getfixturevalue(kind)


def pytest_runtest_logreport(report):
    if report.when != "call":
        kind, _, number = report.nodeid.partition("[")[2].strip("]").rpartition("-")
        before = seconds[kind].get(int(number), 0)
        seconds[kind][int(number)] = before + report.duration


def pytest_sessionfinish():
    with open("seconds.json", "w") as file:
        json.dump({kind: [*found.values()] for kind, found in seconds.items()}, file)
"""
TESTS = """\
import pytest
import sqlalchemy as sa


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize("kind", ["each", "ours"])
def test_it(kind, number, engine):
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM tLAST")) == 0
        connection.execute(sa.text("INSERT INTO tLAST (name) VALUES ('a')"))
        assert connection.scalar(sa.text("SELECT max(id) FROM tLAST")) == 1
"""


def main() -> int:
    """Measure both databases, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", type=int, default=100)
    parser.add_argument("--revisions", type=int, default=50)
    given = parser.parse_args()
    with postgresql_server() as admin_url, tempfile.TemporaryDirectory() as folder:
        url = admin_url.replace("postgresql://", "postgresql+psycopg2://")
        places = {"SQLite": f"sqlite:///{folder}/app.sqlite", "PostgreSQL": url}
        ratios = []
        for name, used in places.items():
            write_project(Path(folder, name), given.tests, given.revisions)
            # The template is kept, as it is from one run of a test suite to the next.
            [first] = measure(Path(folder, name), used, "-k", "ours-0")["ours"]
            ratios.append(compare(name, first, measure(Path(folder, name), used)))
    return int(min(ratios) < TARGET)


def compare(name: str, first: float, seconds: dict[str, list[float]]) -> float:
    """Print what was measured, and return how many times as fast the fixtures are."""
    each, ours = seconds["each"], seconds["ours"]
    ratio = sum(each) / sum(ours)
    print(
        f"{name}, {len(each)} tests of each kind: to migrate a database takes"
        f" {1000 * median(each):.1f} ms, the fixtures {1000 * median(ours):.1f} ms. All together"
        f" {sum(each):.2f} s and {sum(ours):.2f} s: {ratio:.0f} times as fast. The very first run,"
        f" which makes the template, takes {first:.2f} s more."
    )
    return ratio


def measure(folder: Path, url: str, *options: str) -> dict[str, list[float]]:
    """Run the tests, and return what pytest takes before and after each, in seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "TEST_URL": url},
        check=False,
        encoding="utf-8",
        stdout=subprocess.PIPE,
    )
    if done.returncode:
        raise SystemExit(done.stdout)
    found: dict[str, list[float]] = json.loads((folder / "seconds.json").read_text())
    return found


def write_project(folder: Path, tests: int, revisions: int) -> None:
    """Write the .ini file, its migrations, and the tests."""
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
        before = name_of(number - 1) if number else None
        text = REVISION.format(number=number, revision=name_of(number), before=before)
        (versions / f"{name_of(number)}.py").write_text(text)
    (folder / "conftest.py").write_text(CONFTEST)
    text = TESTS.replace("COUNT", str(tests)).replace("LAST", str(revisions - 1))
    (folder / "test_it.py").write_text(text)


def name_of(number: int) -> str:
    """Return the id of a revision."""
    return f"{number:04}abcdef01"


if __name__ == "__main__":
    sys.exit(main())
