"""Where the relative paths of an .ini file are."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import invoke
from support.history import Revision, make_history
from support.ini import MakeIni

from myapp.migrator.settings.places import Places
from myapp.migrator.settings.settings import load_settings


@pytest.fixture(autouse=True)
def _path_as_before() -> Iterator[None]:
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with migrations in it; the .ini file is in another one below."""
    (tmp_path / "conf").mkdir()
    make_history(tmp_path / "shop" / "alembic", [Revision("aaaa1")])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_path_begins_in_the_inis_folder(project: Path) -> None:
    (project / "conf" / "shop").mkdir()
    assert Places(project / "conf").absolute("shop") == f"{project}/conf/shop"


def test_what_is_not_there_begins_in_the_working_folder(project: Path) -> None:
    assert Places(project / "conf").absolute("shop/alembic") == f"{project}/shop/alembic"


def test_what_is_nowhere_is_missed_in_the_inis_folder(project: Path) -> None:
    places = Places(project / "conf")
    assert places.absolute("gone") == f"{project}/conf/gone"
    assert places.tried[f"{project}/conf/gone"] == [f"{project}/conf/gone", f"{project}/gone"]


@pytest.mark.parametrize("location", ["/srv/../shop", "shop:alembic"])
def test_other_locations_begin_nowhere(location: str, project: Path) -> None:
    found = Places(project / "conf").absolute(location)
    assert found == {"/srv/../shop": "/shop"}.get(location, location)


def test_where_the_migrations_are_is_where_other_paths_begin(project: Path) -> None:
    (project / "conf" / "src").mkdir()
    (project / "src").mkdir()
    places = Places(project / "conf")
    assert places.base("shop/alembic") == f"{project}/shop/alembic"
    assert places.absolute("src") == f"{project}/src"
    assert places.absolute("new") == f"{project}/new"


def test_a_deleted_working_folder_is_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deleted").mkdir()
    monkeypatch.chdir(tmp_path / "deleted")
    (tmp_path / "deleted").rmdir()
    assert Places(tmp_path).absolute("shop") == f"{tmp_path}/shop"


def test_an_ini_in_a_folder_of_its_own_works_as_with_alembic(
    project: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    ini = make_ini(
        {"sqlalchemy.url": sqlite_url},
        extra="[alembic]\nscript_location = shop/alembic\nprepend_sys_path = .\n"
        "version_locations = shop/alembic/versions\n",
        name="conf/app.ini",
    )
    assert invoke(ini, "heads").stdout == "aaaa1 (head), a change\n"
    assert invoke(ini, "upgrade").returncode == 0
    assert load_settings(str(ini)).alembic["prepend_sys_path"] == str(project)


def test_what_is_imported_may_be_in_the_working_folder(
    project: Path, make_ini: MakeIni, sqlite_url: str
) -> None:
    for folder in ("conf", "."):
        (project / folder / "placed_a.py").write_text(f"WHERE = {folder!r}\n")
    (project / "placed_b.py").touch()
    ini = make_ini(
        {
            "sqlalchemy.url": sqlite_url,
            "alembic.script_location": "%(here)s/../shop/alembic",
            "alembic.prepend_sys_path": ".",
        },
        name="conf/app.ini",
    )
    ini.write_text(ini.read_text().replace("%%", "%"))
    env_py = project / "shop" / "alembic" / "env.py"
    lines = "import placed_a, placed_b\nassert placed_a.WHERE == 'conf'\n"
    env_py.write_text(lines + env_py.read_text())
    result = invoke(ini, "upgrade")
    assert result.returncode == 0, result.stderr
