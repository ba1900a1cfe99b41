"""Fixtures for tests against real databases."""

import compileall
import email
import gc
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import pytest
from support import postgresql
from support.faults import Figure
from support.history import MakeApp, Revision, make_history
from support.ini import MakeIni, write_ini
from support.models import HEAD, MakeModels
from support.pool import Pool
from support.processes import Start, starter
from support.scratches import left_over

import myapp

# Their asserts then show both sides, as those of a test do.
pytest.register_assert_rewrite("support.leftovers", "support.refusal")

# What its user has set must not give the commands of the tests another .ini file.
os.environ.pop("MYAPP_MIGRATE_INI", None)


def _is_roomy(folder: Path) -> bool:
    """Tell whether there is room for all files of the tests, programs among them."""
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if not os.access(folder, os.W_OK) or min(memory, shutil.disk_usage(folder).free) < 6 << 30:
        return False
    return not os.statvfs(folder).f_flag & os.ST_NOEXEC


# `nohup` starts the tests with SIGHUP ignored, and the processes that they send it to.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Each commit of SQLite waits for the disk, if its file is on one.
if "TMPDIR" not in os.environ and _is_roomy(Path("/dev/shm")):  # noqa: S108 # mkdtemp makes names
    os.environ["TMPDIR"] = tempfile.tempdir = "/dev/shm"  # noqa: S108


# plaster reads the metadata of all that is installed, for each .ini file that it is asked about.
email.message_from_string = lru_cache(1000)(email.message_from_string)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Where PYTHONDONTWRITEBYTECODE is set, each process would compile the package again.
        compileall.compile_dir(Path(myapp.__file__).parent, quiet=1)
    for message in (
        # Pyramid 2.1 and PasteDeploy 3.1 use pkg_resources; WebOb 1.8 uses cgi up to Python 3.12,
        # and utcnow().
        "pkg_resources is deprecated",
        "Deprecated call to `pkg_resources",
        "'cgi' is deprecated",
        r"datetime\.datetime\.utcnow\(\) is deprecated",
        # Python 3.13 tells of it: an env.py like the cookiecutter's never disposes of its engine.
        "unclosed database in <sqlite3.Connection",
    ):
        config.addinivalue_line("filterwarnings", f"ignore:{message}")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers `-n auto` starts; each one starts a PostgreSQL server."""
    given = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    # Two for a core: many tests wait, for a timeout, a lock or a server.
    return int(given or min(2 * (os.cpu_count() or 1), 4))


def pytest_collection_finish() -> None:
    # The collector would go through all tests again and again. That took a third of a second each.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what an .ini file's logging sections have done to this process."""
    before = {name: vars(each) | {"handlers": each.handlers[:]} for name, each in _loggers()}
    yield
    new = vars(logging.Logger("new"))
    for name, logger in _loggers():
        state = before.get(name, new)
        logger.handlers = state["handlers"][:]
        logger.propagate, logger.disabled = state["propagate"], state["disabled"]
        if logger.level != state["level"]:  # it makes all loggers forget what they know
            logger.setLevel(state["level"])


def _loggers() -> list[tuple[str, logging.Logger]]:
    root = logging.getLogger()
    known = {"": root, **root.manager.loggerDict}
    return [(name, each) for name, each in known.items() if isinstance(each, logging.Logger)]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The admin URL of a PostgreSQL server, one for each pytest-xdist worker."""
    given = os.environ.get("MYAPP_TEST_POSTGRESQL_URL")
    if given:
        yield given
        return
    with postgresql.start_server() as admin_url:
        yield admin_url


@pytest.fixture(scope="session")
def postgresql_pool(postgresql_server: str) -> Iterator[Pool]:
    pool = Pool(postgresql_server)
    yield pool
    pool.close()


@pytest.fixture
def postgresql_url(postgresql_pool: Pool) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that no other test uses meanwhile."""
    with postgresql_pool.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that doesn't exist yet."""
    return f"sqlite:///{tmp_path / 'test.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def make_ini(tmp_path: Path) -> MakeIni:
    """Write an .ini file into the test's folder: `make_ini({"sqlalchemy.url": url})`."""

    def make(settings: Mapping[str, str], *, extra: str = "", name: str = "app.ini") -> Path:
        return write_ini(tmp_path / name, settings, extra)

    return make


@pytest.fixture
def make_app(tmp_path: Path, make_ini: MakeIni) -> MakeApp:
    """Write a migrations folder and the .ini file for it: `make_app(url, [Revision("a1")])`."""

    def make(
        url: str,
        revisions: Iterable[Revision] = (),
        settings: Mapping[str, str] | None = None,
        *,
        extra: str = "",
    ) -> Path:
        location = make_history(tmp_path / "migrations", revisions)
        own = {"sqlalchemy.url": url, "alembic.script_location": str(location)}
        return make_ini(own | dict(settings or {}), extra=extra)

    return make


@pytest.fixture
def make_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> MakeModels:
    """Write a module that adds tables to a `metadata`, and return what names it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"models_{abs(hash(request.node.nodeid))}"

    def make(code: str) -> str:
        (tmp_path / f"{module}.py").write_text(HEAD + code)
        return f"{module}:metadata"

    return make


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command in a process of its own: `start(ini, "upgrade")`."""
    with starter() as start:
        yield start


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Tell a measured figure, which is shown at the end of the tests."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        text
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, text in report.user_properties
        if name == "figure" and report.when == "call"
    ]
    if figures:
        terminalreporter.section("figures")
        for text in sorted(figures):
            terminalreporter.line(text)


@pytest.fixture
def temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_server: str
) -> Path:
    """The test's own folder for temporary files.

    The server, which is started first, could not write there.
    """
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def nothing_is_left(temporary_folder: Path, database_url: str) -> Iterator[None]:
    """See that no scratch database is left."""
    before = left_over(database_url)
    yield
    assert left_over(database_url) <= before
