"""Folders that are named by their package."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Result, invoke
from support.history import MakeApp, Revision

COMMANDS = ["heads", "history", "current", "upgrade"]


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("shop_a", "shop_b")]:
        del sys.modules[name]


def app(make_app: MakeApp, url: str, setting: str, location: str) -> Path:
    return make_app(url, [Revision("aaaa1")], {f"alembic.{setting}": location})


def refused(result: Result, message: str, hint: str) -> None:
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"Error: {message}\nHint:  {hint}\n"


SO = {
    "script_location": "there are no migrations",
    "version_locations": "it is not known which revisions there are",
}
FIX = (
    "fix that line, or install what it imports. A path in place of `package:folder` needs no"
    " import."
)


@pytest.mark.parametrize("setting", SO)
@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero"),
        ("\nimport shop_c", "ModuleNotFoundError: No module named 'shop_c'"),
        ("\nraise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_package_that_can_not_be_imported_is_told_with_the_line(
    code: str, raised: str, setting: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = app(make_app, sqlite_url, setting, "shop_a:versions")
    (tmp_path / "shop_a").mkdir()
    (tmp_path / "shop_a" / "__init__.py").write_text(code)
    for command in COMMANDS:
        refused(
            invoke(ini, command),
            f"`alembic.{setting}` is `shop_a:versions`, and `shop_a` can't be imported, so"
            f" {SO[setting]}: {tmp_path}/shop_a/__init__.py (line 2) raised {raised}.",
            FIX,
        )


@pytest.mark.parametrize("setting", SO)
def test_a_package_that_is_not_there_is_told(
    setting: str, make_app: MakeApp, sqlite_url: str
) -> None:
    ini = app(make_app, sqlite_url, setting, "shop_a:versions")
    for command in COMMANDS:
        refused(
            invoke(ini, command),
            f"`alembic.{setting}` is `shop_a:versions`, which does not exist: No module named"
            f" 'shop_a', so {SO[setting]}.",
            "is it spelt right, and installed (`pip install -e .` for the application itself)? A"
            " package beside the .ini file needs `alembic.prepend_sys_path = %(here)s`.",
        )


def test_a_module_is_no_package(make_app: MakeApp, sqlite_url: str, tmp_path: Path) -> None:
    ini = app(make_app, sqlite_url, "version_locations", "shop_b:versions")
    (tmp_path / "shop_b.py").write_text("")
    result = invoke(ini, "heads")
    assert result.returncode == 2
    assert "`alembic.version_locations` is `shop_b:versions`" in result.stderr


def test_a_package_may_have_no_init_file(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = app(make_app, sqlite_url, "version_locations", "shop_a.alembic:versions")
    (tmp_path / "shop_a" / "alembic").mkdir(parents=True)
    (tmp_path / "shop_a" / "__init__.py").touch()
    (tmp_path / "migrations" / "versions").rename(tmp_path / "shop_a" / "alembic" / "versions")
    for command in COMMANDS:
        assert invoke(ini, command).returncode == 0


@pytest.mark.parametrize("id_", ["'aaaa1'", "'aaa' + NUMBER"])
def test_a_revision_may_import_from_a_folder_without_an_init_file_in_a_package(
    id_: str, make_app: MakeApp, sqlite_url: str, tmp_path: Path
) -> None:
    ini = app(make_app, sqlite_url, "script_location", "shop_a/alembic")
    (tmp_path / "shop_a").mkdir()
    (tmp_path / "shop_a" / "__init__.py").touch()
    (tmp_path / "migrations").rename(tmp_path / "shop_a" / "alembic")
    (tmp_path / "shop_a" / "alembic" / "helpers.py").write_text("NUMBER = 'a1'\n")
    file = tmp_path / "shop_a" / "alembic" / "versions" / "aaaa1_.py"
    text = file.read_text().replace("'aaaa1'", id_)
    file.write_text(
        text.replace("import sqlalchemy as sa", "from shop_a.alembic.helpers import NUMBER\n")
    )
    for typed in (*COMMANDS, "branches", "show aaaa1", "stamp aaaa1", "upgrade --sql", "wait"):
        result = invoke(ini, *typed.split())
        assert result.returncode == 0, result.stderr
    assert invoke(ini, "check").stderr.startswith("Error: There are no models")
