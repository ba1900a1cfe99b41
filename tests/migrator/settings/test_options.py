"""The `migrate.*` settings and the options of the same meaning."""

from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision, create_table

LINE = [Revision("aaa111", **create_table("a"))]
TIMES = ["lock_patience", "lock_timeout", "lock_wait", "statement_timeout", "wait_db"]


def wrong(value: str) -> str:
    return "less than 0" if value.startswith("-") else "not a number of seconds"


BAD_TIMES = ["-1", "-0.5", "soon", "nan", "inf", "-inf", "5s", "1e7", ""]


@pytest.mark.parametrize("value", BAD_TIMES)
@pytest.mark.parametrize("key", TIMES)
def test_a_time_that_is_none_is_refused_and_changes_nothing(
    key: str, value: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {f"migrate.{key}": value}), "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: `migrate.{key}` is `{value}`, which is {wrong(value)}.\n"
        f"Hint:  write a number, as in `migrate.{key} = 5`.\n"
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("value", ["-1", "soon", "nan", "inf", ""])
@pytest.mark.parametrize(
    ("command", "option"),
    [("upgrade", "--lock-wait"), ("current", "--wait-db"), ("wait", "--timeout")],
)
def test_so_is_one_on_the_command_line(
    command: str, option: str, value: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE), command, option, value)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: `{option}` is `{value}`, which is {wrong(value)}.\n"
        f"Hint:  write a number, as in `{option} 5`.\n"
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "", "10000000"])
def test_retries_that_are_no_count_are_refused(
    value: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {"migrate.retries": value}), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        f"Error: `migrate.retries` is `{value}`, which is not a whole number.\n"
        "Hint:  write `migrate.retries = 10`, or 0 for none.\n",
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("value", ["all", "", "Single"])
def test_a_kind_of_transaction_that_there_is_not_is_refused(
    value: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {"migrate.transaction": value}), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        f"Error: `migrate.transaction` is `{value}`, which is not one of its values.\n"
        "Hint:  write `revision` (a transaction for each) or `single` (one for the whole run).\n",
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize("value", ["transaction", "", "Session"])
def test_a_kind_of_lock_that_there_is_not_is_refused(
    value: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {"migrate.lock": value}), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        f"Error: `migrate.lock` is `{value}`, which is not one of its values.\n"
        "Hint:  write `connection` (one of the lock's own) or `session` (the migration's own).\n",
    )
    assert not (tmp_path / "test.sqlite").exists()


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lockwait", "lock_wait"),
        ("lock_time_out", "lock_timeout"),
        ("retry", "retries"),
        ("transactions", "transaction"),
        ("lock_uri", "lock_url"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(
    key: str, meant: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    result = invoke(make_app(sqlite_url, LINE, {f"migrate.{key}": "1"}), "upgrade")
    assert (result.returncode, result.stderr) == (
        2,
        f"Error: `migrate.{key}` is not a setting of this command.\n"
        f"Hint:  did you mean `migrate.{meant}`?\n",
    )
    assert not (tmp_path / "test.sqlite").exists()
