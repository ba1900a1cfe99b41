"""The README's recipes and the jobs of docs/ci, run as they stand."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import postgresql
from support.database import heads, tables
from support.processes import until
from support.project import PROJECT, copy_project, environ

from myapp.scripts.migrate import cli

README = (PROJECT / "README.md").read_text()
SCRIPTS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FIRST, HEAD = "4b7e21c09d35", "c85d3f6a1e90"
#: The tests of the old code. The new code has no `OLD`, and one table more.
OLD_TESTS = """\
import os

import sqlalchemy as sa
import myapp
from myapp.migrator.database.url import engine_url


def test_the_old_code_runs_on_the_new_schema():
    assert myapp.OLD
    engine = sa.create_engine(engine_url(os.environ["DATABASE_URL"]))
    assert "news" in sa.inspect(engine).get_table_names()
    open("../ran", "w").close()
"""
NEW_MODEL = '''

class News(Base):
    """What is new."""

    __tablename__ = "news"

    id: Mapped[int] = mapped_column(primary_key=True)
'''
NEW_REVISION = f"""\
\"\"\"Add news.\"\"\"

import sqlalchemy as sa
from alembic import op

revision, down_revision = "d00000000001", "{HEAD}"


def upgrade() -> None:
    op.create_table("news", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("news")
"""


def script(part: str) -> str:
    """Return the one recipe that has `part` in it."""
    [found] = [each for each in SCRIPTS if part in each]
    return found


def jobs_of_github() -> dict[str, list[str]]:
    workflow = yaml.safe_load((PROJECT / "docs/ci/github.yml").read_text())
    return {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in workflow["jobs"].items()
    }


def jobs_of_gitlab() -> dict[str, list[str]]:
    document = yaml.safe_load((PROJECT / "docs/ci/gitlab.yml").read_text())

    def lines(job: dict[str, Any]) -> list[str]:
        base = document.get(job.get("extends"))
        before = lines(base) if base else []
        return before + job.get("before_script", []) + job.get("script", [])

    return {name: lines(job) for name, job in document.items() if not name.startswith(".")}


JOBS = [("github", *job) for job in jobs_of_github().items()]
JOBS += [("gitlab", *job) for job in jobs_of_gitlab().items()]
#: `deploy` is the recipe, which has a test of its own.
JOBS = [job for job in JOBS if job[1] != "deploy"]


def sh(script: str, project: Path, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        capture_output=True,
        check=False,
        cwd=project,
        encoding="utf-8",
        env=environ(project) | {"DATABASE_URL": url} | variables,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.fixture
def checkout(project: Path, postgresql_url: str) -> Path:
    """A clone of a project with a version 1.2, on a branch with one more revision."""
    (project / "tests").mkdir()
    (project / "tests" / "test_old.py").write_text(OLD_TESTS)
    package = project / "myapp" / "__init__.py"
    new = package.read_text()
    package.write_text(f"{new}\nOLD = True\n")
    (project / ".venv").unlink()
    clone = project.parent / "checkout"
    commit = "git add -A && git -c user.name=me -c user.email=me@example.com commit -qm change"
    begin = f"git init -qb main && {commit} && git tag v1.2 && git clone -q . {clone}"
    assert sh(begin, project, postgresql_url).returncode == 0
    (clone / "myapp" / "__init__.py").write_text(new)
    (clone / "myapp/migrations/versions/d00000000001_.py").write_text(NEW_REVISION)
    with (clone / "myapp/models/user.py").open("a") as models:
        models.write(NEW_MODEL)
    assert sh(f"git switch -qc news && {commit}", clone, postgresql_url).returncode == 0
    return clone


def test_the_deploy_and_two_ways_back(project: Path, postgresql_url: str) -> None:
    deploy = script(" upgrade --wait-db 60")
    for recipe, expected in ((deploy, HEAD), (script(" downgrade "), FIRST), (deploy, HEAD)):
        done = sh(recipe, project, postgresql_url)
        assert done.returncode == 0, done.stderr
        assert heads(postgresql_url) == {expected}
    [newest] = (project / "myapp/migrations/versions").glob(f"{HEAD}_*.py")
    newest.unlink()
    assert sh(deploy, project, postgresql_url).returncode == 7
    done = sh(script("--allow-ahead"), project, postgresql_url)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def container(project: Path, postgresql_url: str) -> Iterator[subprocess.Popen[str]]:
    ini = project / "production.ini"
    ini.write_text(ini.read_text().replace("listen = *:6543", "listen = 127.0.0.1:0"))
    with (
        (project / "log").open("w") as log,
        subprocess.Popen(
            ["bash", "-c", script(" wait ")],
            cwd=project,
            env=environ(project) | {"DATABASE_URL": postgresql_url},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running,
    ):
        yield running
        running.terminate()


def test_a_container_serves_when_the_other_has_migrated(
    container: subprocess.Popen[str], project: Path, postgresql_url: str
) -> None:
    log = project / "log"
    until(lambda: "Waiting" in log.read_text() or "waiting" in log.read_text())
    assert "Starting server" not in log.read_text()
    assert sh(script(" upgrade --wait-db 60"), project, postgresql_url).returncode == 0
    until(lambda: "Starting server" in log.read_text())
    assert container.poll() is None


def test_the_old_code_on_the_new_schema(checkout: Path, postgresql_url: str) -> None:
    recipe = script("git worktree remove")
    assert len(recipe.splitlines()) == 3
    done = sh(recipe.replace("development.ini", "production.ini"), checkout, postgresql_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (checkout.parent / "ran").exists()
    assert not (checkout.parent / "old").exists()


@pytest.mark.skipif("verify" not in cli.commands, reason="there is no command `verify` yet")
def test_the_pull_request(checkout: Path, postgresql_url: str) -> None:
    done = sh(script(" verify "), checkout, postgresql_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tables(postgresql_url) == set()


@pytest.mark.parametrize(("service", "name", "lines"), JOBS, ids=lambda given: str(given)[:9])
def test_a_job(
    service: str, name: str, lines: list[str], checkout: Path, postgresql_url: str
) -> None:
    if name == "verify" and "verify" not in cli.commands:
        pytest.skip("there is no command `verify` yet")
    if service == "gitlab":  # a runner keeps `.git` of the job before, and cleans the rest
        assert (
            sh("git worktree add -q old HEAD && rm -r old", checkout, postgresql_url).stderr == ""
        )
    # What it installs is installed beside the tests.
    assert lines[0] in ("pip install -e .", "pip install -e '.[test]'")
    done = sh(
        "\n".join(lines[1:]),
        checkout,
        postgresql_url,
        GITHUB_BASE_REF="main",
        GITHUB_STEP_SUMMARY=str(checkout.parent / "summary"),
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert postgresql.PASSWORD not in done.stdout + done.stderr
    assert tables(postgresql_url) == set()
    if name == "old-code":
        assert (checkout / "ran").exists()


def test_both_services_have_the_same_jobs_and_deploy_as_the_recipe() -> None:
    assert jobs_of_github().keys() == jobs_of_gitlab().keys() == {"verify", "old-code", "deploy"}
    for jobs in (jobs_of_github(), jobs_of_gitlab()):
        _, *lines = jobs["deploy"]
        assert lines == script(" upgrade --wait-db 60").splitlines()
