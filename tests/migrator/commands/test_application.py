"""Where `init` finds an application's models, without importing the application."""

import sys
from pathlib import Path

import pytest
from support.ini import MakeIni

from myapp.migrator.commands.application import find_models
from myapp.migrator.commands.scaffold import init
from myapp.migrator.config import run_context
from myapp.migrator.settings.settings import load_settings

COOKIECUTTER = """
from sqlalchemy.orm import declarative_base
from sqlalchemy.schema import MetaData

NAMING_CONVENTION = {"pk": "pk_%(table_name)s"}
metadata = MetaData(naming_convention=NAMING_CONVENTION)
Base = declarative_base(metadata=metadata)
"""
DECLARATIVE = """
class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})
"""
HERE = "alembic.prepend_sys_path = %(here)s"


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (
            {"models/__init__.py": "from .meta import Base", "models/meta.py": COOKIECUTTER},
            [
                "alembic.target_metadata = shop.models.meta:Base.metadata",
                "alembic.naming_convention = shop.models.meta:NAMING_CONVENTION",
            ],
        ),
        (
            {"models/__init__.py": DECLARATIVE},
            [
                "alembic.target_metadata = shop.models:Base.metadata",
                "alembic.naming_convention = shop.models:Base.metadata",
            ],
        ),
        (
            {"models.py": "Model = declarative_base()"},
            ["alembic.target_metadata = shop.models:Model.metadata"],
        ),
        (
            {"db.py": "metadata = sqlalchemy.MetaData()"},
            ["alembic.target_metadata = shop.db:metadata"],
        ),
        ({"models.py": "1 +"}, ["alembic.target_metadata = shop.models:Base.metadata"]),
        ({}, ["alembic.target_metadata = shop.models:Base.metadata"]),
    ],
    ids=["cookiecutter", "declarative", "a file", "tables only", "broken", "none"],
)
def test_models_are_found_where_they_have_their_base(
    files: dict[str, str], lines: list[str], make_ini: MakeIni, tmp_path: Path
) -> None:
    ini = make_ini({"use": "egg:shop", "sqlalchemy.url": "sqlite://"})
    for name, text in {"__init__.py": "raise SystemExit", **files}.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    made = init(run_context(ini), str(tmp_path / "migrations"))

    assert list(made.ini_lines[2:]) == [*lines, HERE]
    assert "shop" not in sys.modules


def test_a_package_that_python_finds_needs_no_folder(
    make_ini: MakeIni, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib" / "shop").mkdir(parents=True)
    (tmp_path / "lib" / "shop" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "lib" / "shop" / "models.py").write_text("Base = declarative_base()")
    monkeypatch.syspath_prepend(tmp_path / "lib")

    found = find_models(load_settings(str(make_ini({"use": "egg:shop"}))))

    assert found == ("shop.models:Base.metadata", None, None)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"use": "egg:my-shop"}, "my_shop.models:Base.metadata"),
        ({"use": "egg:my-shop#other"}, "my_shop.models:Base.metadata"),
        ({"use": "call:shop.wsgi:main"}, "shop.models:Base.metadata"),
        ({"use": "egg:myapp#main"}, "myapp.models.meta:Base.metadata"),
        ({"use": "egg:MyApp"}, "myapp.models.meta:Base.metadata"),
    ],
)
def test_the_package_is_the_one_of_the_application(
    settings: dict[str, str], name: str, make_ini: MakeIni
) -> None:
    found = find_models(load_settings(str(make_ini(settings))))

    assert found is not None
    assert found.target_metadata == name


def test_a_package_in_another_has_its_own_models(make_ini: MakeIni, tmp_path: Path) -> None:
    path = tmp_path / "src" / "acme" / "shop" / "models" / "meta.py"
    path.parent.mkdir(parents=True)
    path.write_text(COOKIECUTTER)

    found = find_models(load_settings(str(make_ini({"use": "call:acme.shop.wsgi:main"}))))

    assert found == (
        "acme.shop.models.meta:Base.metadata",
        "acme.shop.models.meta:NAMING_CONVENTION",
        tmp_path / "src",
    )


@pytest.mark.parametrize("given", ["shop.models:Base.metadata", "shop.models.meta:metadata"])
def test_the_naming_convention_of_models_that_are_set_is_named(
    given: str, make_ini: MakeIni, tmp_path: Path
) -> None:
    path = tmp_path / "shop" / "models" / "meta.py"
    path.parent.mkdir(parents=True)
    path.write_text(COOKIECUTTER)
    settings = {"alembic.target_metadata": given, "alembic.prepend_sys_path": "%(here)s"}
    ini = make_ini({"use": "egg:other", "sqlalchemy.url": "sqlite://", **settings})

    made = init(run_context(ini), str(tmp_path / "migrations"))

    assert made.ini_lines[2:] == ("alembic.naming_convention = shop.models.meta:NAMING_CONVENTION",)


def test_an_application_of_another_file_is_not_known(make_ini: MakeIni) -> None:
    make_ini({"use": "egg:shop"}, name="base.ini")

    assert find_models(load_settings(str(make_ini({"use": "config:base.ini"})))) is None
