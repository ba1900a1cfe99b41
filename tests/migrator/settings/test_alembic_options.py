"""Misspelt `alembic.*` keys, which Alembic takes without a word."""

import inspect
import json
import re
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from support.command import Result, invoke, run
from support.history import MakeApp, Revision
from support.ini import MakeIni

from myapp.migrator.base.spelling import is_slip
from myapp.migrator.settings.alembic_options import OPTIONS, AlembicOptions, misspellings


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    return make_app(sqlite_url, [Revision("aaaa1")], {"alembic.version_tabel": "versions"})


def warning(key: str, meant: str) -> str:
    return (
        f"Warning: `alembic.{key}` is not an option of Alembic: did you mean `alembic.{meant}`?\n"
    )


@pytest.mark.parametrize("value", ["maybe", "ture", "2"])
def test_a_boolean_that_is_none_is_doubted(value: str, make_app: MakeApp, sqlite_url: str) -> None:
    app = make_app(sqlite_url, [Revision("aaaa1")], {"alembic.compare_type": value})
    result = invoke(app, "heads")
    assert result.returncode == 0
    assert result.stderr == (
        f"Warning: `alembic.compare_type` is `{value}`, which counts as false: write `true` or"
        " `false`.\n"
    )


@pytest.mark.parametrize("value", ["true", "False", "0", "yes", "OFF", ""])
def test_a_boolean_of_any_spelling_is_not_doubted(
    value: str, make_app: MakeApp, sqlite_url: str
) -> None:
    app = make_app(sqlite_url, [Revision("aaaa1")], {"alembic.compare_type": value})
    assert invoke(app, "heads").stderr == ""


@pytest.mark.parametrize(
    "typed",
    [
        "version_tabel",
        "version_tabl",
        "version_tablee",
        "versian_table",
        "vversion_table",
        "ersion_table",
        "versiontable",
        "version-table",
        "Version_Table",
        "version_tables",
    ],
)
def test_one_slip_of_the_pen_is_one(typed: str) -> None:
    assert is_slip(typed, "version_table")
    assert list(misspellings([typed])) == [warning(typed, "version_table")[9:-1]]


@pytest.mark.parametrize(
    "typed", ["url", "databases", "exclude_schemas", "version_num", "table", "include_object", ""]
)
def test_another_name_is_none(typed: str) -> None:
    assert list(misspellings([typed])) == []


def test_no_option_is_a_slip_of_another() -> None:
    assert [(a, b) for a in OPTIONS for b in OPTIONS if a != b and is_slip(a, b)] == []
    assert list(misspellings([*OPTIONS, "version_path_separator"])) == []


def test_the_options_of_alembics_own_template_are_known() -> None:
    template = Path(Config().get_template_directory(), "generic", "alembic.ini.mako")
    section = template.read_text().partition("[alembic]")[2].partition("[post_write_hooks]")[0]
    named = set(re.findall(r"^(?:# )?([a-z_]+) = ?", section, re.MULTILINE))
    assert {"file_template", "path_separator"} <= named <= OPTIONS.keys()


def test_a_key_beside_the_option_that_it_resembles_is_meant() -> None:
    assert list(misspellings(["version_table", "version_tables"])) == []


@pytest.mark.parametrize("command", ["upgrade", "current", "heads", "history"])
def test_it_is_told_and_stops_nothing(ini: Path, command: str) -> None:
    result = invoke(ini, command)
    assert result.returncode == 0
    assert result.stderr.startswith(warning("version_tabel", "version_table"))
    assert result.stderr.count("Warning") == 1


def test_it_is_told_to_those_who_read_json_on_standard_error(ini: Path) -> None:
    result = run(ini, "heads", "--json")
    assert json.loads(result.stdout)["ok"] is True
    assert result.stderr == warning("version_tabel", "version_table")


def test_quiet_silences_it(ini: Path) -> None:
    assert invoke(ini, "heads", "-q") == Result(0, "aaaa1 (head), a change\n", "")


def test_it_is_told_of_the_alembic_section_too(make_ini: MakeIni, sqlite_url: str) -> None:
    ini = make_ini(
        {"sqlalchemy.url": sqlite_url},
        extra="[alembic]\nscript_location = myapp:migrations\nfile_templat = %%(rev)s",
    )
    assert invoke(ini, "heads").stderr == warning("file_templat", "file_template")


def test_a_misspelt_script_location_is_an_error_that_tells_it_once(make_ini: MakeIni) -> None:
    ini = make_ini({"alembic.script_locaton": "myapp:migrations"})
    assert invoke(ini, "heads").stderr == (
        f"Error: [app:main] in {ini} has no `alembic.script_location`, so there are no"
        " migrations.\n"
        "Hint:  is `alembic.script_locaton` a misspelling of it?\n"
    )


def options(**given: str) -> AlembicOptions:
    return AlembicOptions(given, Path("/srv/shop"), {})


def test_a_boolean_is_parsed_once_for_whoever_asks() -> None:
    read = options(sourceless="Yes", compare_type="off")
    assert [read.is_on(name) for name in ("sourceless", "compare_type", "render_as_batch")] == [
        True,
        False,
        False,
    ]
    assert dict(read) == {
        "sourceless": "true",
        "compare_type": "false",
        "path_separator": "newline",
    }


def test_what_env_py_configures_is_in_the_table_and_known_to_alembic() -> None:
    configured = {name for name, option in OPTIONS.items() if option.is_configured}
    parameters = inspect.signature(EnvironmentContext.configure).parameters.keys()
    # Alembic has the others among `**kw`.
    assert {
        name for name in configured - parameters if not name.startswith("version_table")
    } == set()
    given = dict.fromkeys(OPTIONS.keys() - {"path_separator"}, "1")
    assert options(**given).for_configure() == {
        name: True if OPTIONS[name].is_boolean else "1" for name in configured
    }


def test_an_option_that_nobody_knows_needs_alembic() -> None:
    assert not options(version_table="shop", sourceless="on").need_alembic()
    assert options(revision_environment="no").need_alembic()
    assert options(my_own="1").need_alembic()
    assert AlembicOptions({}, Path("/"), {"sqlalchemy.url": "sqlite://"}).need_alembic()


def test_what_is_not_an_option_is_never_a_slip_of_one() -> None:
    read = AlembicOptions({}, Path("/"), {"sqlalchemy.module_prefix": "1"})
    assert list(read.warnings()) == []
    assert read["sqlalchemy.module_prefix"] == "1"
