"""How far a run came that did not get through, in its JSON document."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from support.command import invoke, run
from support.history import MakeApp, Revision, create_table

HALF = """\
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE half (i int)")
raise ValueError("no")
"""
TERMINATED = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
FAILURES = {
    "migration_failed": "raise ValueError('no')",
    "half_applied": HALF,
    "interrupted": TERMINATED,
}


def line(**bodies: str) -> list[Revision]:
    """Return four revisions, the third of which has `bodies`."""
    return [
        Revision("aaa1", **create_table("a")),
        Revision("bbb2", "aaa1", **create_table("b")),
        Revision("ccc3", "bbb2", **bodies),
        Revision("ddd4", "ccc3", **create_table("d")),
    ]


def progress(error: dict[str, Any]) -> tuple[Any, ...]:
    """Return what was done, what failed, what ran and is not recorded, and what was not begun."""
    names = ("done", "revision", "not_recorded", "not_begun")
    return tuple(error[name] for name in names)


def error_of(ini: Path, *arguments: str) -> dict[str, Any]:
    result = run(ini, *arguments, "--json")
    error: dict[str, Any] = json.loads(result.stdout)["error"]
    return error


@pytest.mark.parametrize("code", FAILURES)
def test_a_failed_run_lists_what_was_done_what_failed_and_what_was_not_begun(
    code: str, make_app: MakeApp, database_url: str
) -> None:
    ini = make_app(database_url, line(upgrade=FAILURES[code]))
    error = error_of(ini, "upgrade")
    assert error["code"] == code
    assert progress(error) == (["aaa1", "bbb2"], "ccc3", [], ["ddd4"])
    assert error["path"] == str(ini.parent / "migrations" / "versions" / "ccc3_.py")
    assert progress(error_of(ini, "upgrade")) == ([], "ccc3", [], ["ddd4"])


def test_so_does_a_downgrade(make_app: MakeApp, database_url: str) -> None:
    ini = make_app(database_url, line(downgrade="raise ValueError('no')"))
    assert invoke(ini, "upgrade").returncode == 0
    error = error_of(ini, "downgrade", "base")
    assert progress(error) == (["ddd4"], "ccc3", [], ["bbb2", "aaa1"])


def test_what_was_rolled_back_with_it_is_listed_apart(make_app: MakeApp, database_url: str) -> None:
    revisions = line(upgrade="raise ValueError('no')")
    ini = make_app(database_url, revisions, {"migrate.transaction": "single"})
    error = error_of(ini, "upgrade")
    assert (error["code"], error["rows"]) == ("migration_failed", [])
    assert progress(error) == ([], "ccc3", ["aaa1", "bbb2"], ["ddd4"])


def test_where_the_database_is_gone_what_was_committed_is_still_known(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    spoil = f"open({str(tmp_path / 'test.sqlite')!r}, 'w').write('no database' * 999)"
    error = error_of(make_app(sqlite_url, line(upgrade=f"{spoil}; raise ValueError")), "upgrade")
    assert (error["code"], error["exit_code"]) == ("unreachable", 6)
    assert progress(error) == (["aaa1", "bbb2"], "ccc3", [], ["ddd4"])


def test_before_the_first_revision_nothing_is_known_to_be_planned(
    make_app: MakeApp, sqlite_url: str
) -> None:
    ini = make_app(sqlite_url, line())
    (ini.parent / "migrations" / "env.py").write_text("1 / 0")
    error = error_of(ini, "upgrade")
    assert (error["code"], error["done"], error["not_begun"]) == ("env_py", None, None)


def test_alembics_log_says_in_which_direction_a_revision_runs(
    make_app: MakeApp, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ini = make_app(sqlite_url, line()[:1])
    logger = logging.getLogger("alembic.runtime.migration")
    logger.addHandler(caplog.handler)  # the root logger's handlers are the command's own
    try:
        with caplog.at_level("INFO", logger.name):
            assert (
                invoke(ini, "upgrade").returncode,
                invoke(ini, "downgrade", "-1").returncode,
            ) == (0, 0)
    finally:
        logger.removeHandler(caplog.handler)
    told = [message.split(",")[0] for message in caplog.messages if "Running" in message]
    assert told == ["Running upgrade  -> aaa1", "Running downgrade aaa1 -> "]
