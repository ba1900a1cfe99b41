"""From settings to Alembic's Config, in memory."""

import codecs
import io
import os
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from contextlib import redirect_stdout
from pathlib import Path

import alembic.command
import pytest
from alembic.config import CommandLine, Config
from alembic.script import ScriptDirectory
from support.command import SCRIPTS, invoke, run
from support.database import change, heads, tables
from support.history import Revision, create_table, make_history
from support.ini import MakeIni
from support.postgresql import PASSWORD

from myapp.migrator.base.errors import SettingsError
from myapp.migrator.bridge.configuration import context_of
from myapp.migrator.config import alembic_config
from myapp.migrator.database.url import engine_url

MakeProject = Callable[..., Path]


@pytest.fixture
def make_project(make_ini: MakeIni, tmp_path: Path, sqlite_url: str) -> MakeProject:
    """Write an .ini file with a history of one revision: `make_project({"alembic.x": "y"})`."""
    make_history(tmp_path / "history", [Revision("a1a1a1a1", **create_table("a"))])

    def make(settings: dict[str, str] | None = None, extra: str = "") -> Path:
        base = {"sqlalchemy.url": sqlite_url, "alembic.script_location": "history"}
        return make_ini({**base, **(settings or {})}, extra=extra)

    return make


# The public function


def test_it_is_alembics_own_class_and_names_the_ini(make_project: MakeProject) -> None:
    ini = make_project()
    config = alembic_config(ini)
    assert type(config) is Config
    assert config.config_file_name == str(ini)
    assert config.config_ini_section == "alembic"


def test_it_serves_alembics_commands(make_project: MakeProject, database_url: str) -> None:
    config = alembic_config(make_project({"sqlalchemy.url": database_url}))
    alembic.command.upgrade(config, "head")
    assert tables(database_url) == {"a", "alembic_version"}
    alembic.command.downgrade(config, "base")
    assert tables(database_url) == {"alembic_version"}


def test_a_config_uri_may_be_text_with_a_section_and_variables(make_ini: MakeIni) -> None:
    ini = make_ini(
        {}, extra="[app:admin]\nuse = egg:myapp\nalembic.version_table = %(prefix)s_versions"
    )
    config = alembic_config(f"{ini}#admin", {"prefix": "shop"})
    assert config.get_main_option("version_table") == "shop_versions"
    assert config.get_main_option("prefix") == "shop"


def test_what_alembic_prints_goes_to_the_standard_output_of_the_moment(
    make_project: MakeProject,
) -> None:
    output = io.StringIO()
    with redirect_stdout(output):
        alembic.command.heads(alembic_config(make_project()))
    assert output.getvalue() == "a1a1a1a1 (head)\n"


def test_the_sql_goes_to_the_standard_output_of_the_moment(make_project: MakeProject) -> None:
    output = io.StringIO()
    with redirect_stdout(output):
        alembic.command.upgrade(alembic_config(make_project()), "head", sql=True)
    assert "CREATE TABLE a (" in output.getvalue()


def test_a_wrong_ini_raises_this_packages_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        alembic_config(tmp_path / "missing.ini")


def test_nothing_is_created_and_no_application_imported(tmp_path: Path) -> None:
    ini = tmp_path / "app.ini"
    ini.write_text(
        "[app:main]\nuse = egg:myapp\nsqlalchemy.url = sqlite:///%(here)s/test.sqlite\n"
        "alembic.script_location = myapp:migrations\n"
        "alembic.target_metadata = myapp.models:Base.metadata\n"
    )
    code = (
        "import sys; from myapp.migrator.config import alembic_config; alembic_config(sys.argv[1])"
        "; print(*sorted(name for name in sys.modules if name.startswith(('myapp.', 'pyramid'))))"
    )
    done = subprocess.run([sys.executable, "-c", code, ini], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {name.split(".")[1] for name in done.stdout.split()} == {"migrator"}
    assert list(tmp_path.iterdir()) == [ini]


# What env.py asks of it


def test_the_main_section_answers(make_project: MakeProject, sqlite_url: str) -> None:
    config = alembic_config(make_project({"alembic.timezone": "UTC"}))
    assert config.get_main_option("sqlalchemy.url") == sqlite_url
    assert config.get_main_option("timezone") == "UTC"
    assert config.get_section_option("alembic", "timezone") == "UTC"
    section = config.get_section("alembic")
    assert section is not None
    assert (section["sqlalchemy.url"], section["timezone"]) == (sqlite_url, "UTC")
    assert config.get_main_option("missing", "default") == "default"


@pytest.mark.parametrize("place", ["app", "alembic"])
def test_a_url_by_alembics_other_name_answers(place: str, make_project: MakeProject) -> None:
    if place == "app":
        ini = make_project({"alembic.url": "sqlite:///other"})
    else:
        ini = make_project(extra="[alembic]\nurl = sqlite:///other")
    assert alembic_config(ini).get_main_option("url") == "sqlite:///other"


def test_every_other_section_answers(make_project: MakeProject) -> None:
    ini = make_project(extra="[tasks]\nqueue = %(here)s/%(name)s\n[post_write_hooks]\nhooks =")
    config = alembic_config(ini, {"name": "shop"})
    assert config.get_section_option("tasks", "queue") == f"{ini.parent}/shop"
    assert config.get_section_option("app:main", "use") == "egg:myapp"
    assert config.get_section("post_write_hooks", {})["hooks"] == ""


@pytest.mark.parametrize("key", ["sqlalchemy.url", "alembic.of_our_own"])
def test_a_percent_sign_in_a_value_stays_what_it_is(key: str, make_project: MakeProject) -> None:
    url = "postgresql+psycopg2://deploy:p%40ss%25%2Fw%3Aord%231@/db"
    config = alembic_config(make_project({key: url}))
    assert config.get_main_option(key.removeprefix("alembic.")) == url


def test_a_password_of_special_characters_serves_alembics_commands(
    make_project: MakeProject, postgresql_url: str
) -> None:
    config = alembic_config(make_project({"sqlalchemy.url": postgresql_url}))
    assert engine_url(str(config.get_main_option("sqlalchemy.url"))).password == PASSWORD
    alembic.command.upgrade(config, "head")
    assert tables(postgresql_url) == {"a", "alembic_version"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("postgresql://h/db", "postgresql+psycopg2://h/db"),
        ("postgres://h/db", "postgresql+psycopg2://h/db"),
        ("postgresql+psycopg://h/db", "postgresql+psycopg://h/db"),
    ],
)
def test_env_py_meets_the_driver_that_is_meant(
    written: str, expected: str, make_project: MakeProject
) -> None:
    config = alembic_config(make_project({"sqlalchemy.url": written}))
    assert config.get_main_option("sqlalchemy.url") == expected


def test_the_alembic_section_of_the_ini_is_beneath_the_settings(make_project: MakeProject) -> None:
    ini = make_project(
        {"alembic.version_table": "from_app"},
        extra="[alembic]\nversion_table = from_alembic\nscript_location = nowhere\n"
        "file_template = %%(year)d_%%(rev)s\nsourceless = False",
    )
    config = alembic_config(ini)
    assert config.get_main_option("version_table") == "from_app"
    assert config.get_main_option("script_location") == f"{ini.parent}/history"
    assert config.get_main_option("file_template") == "%(year)d_%(rev)s"
    assert config.get_main_option("sourceless") == "false"


def test_x_arguments_are_where_alembic_puts_them(make_project: MakeProject) -> None:
    assert alembic_config(make_project()).cmd_opts.x is None
    assert alembic_config(make_project(), x=["a=1", "b"]).cmd_opts.x == ["a=1", "b"]


def test_the_metadata_attribute_is_left_to_others(make_project: MakeProject) -> None:
    config = alembic_config(make_project({"alembic.target_metadata": "myapp.models:Base.metadata"}))
    assert "target_metadata" not in config.attributes
    assert "connection" not in config.attributes


def test_keys_that_differ_in_case_only_are_explained(make_project: MakeProject) -> None:
    ini = make_project(extra="Debug = 1\ndebug = 2")
    result = invoke(ini, "heads")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: {ini} is not a valid .ini file: line 6 sets `debug` in [app:main] a second time.\n"
        "Hint:  fix that line.\n"
    )


def test_no_alembic_ini_is_needed_or_read(make_project: MakeProject, tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = nowhere\n")
    (tmp_path / "pyproject.toml").write_text("[tool.alembic]\nscript_location = 'nowhere'\n")
    result = run(make_project(), "heads", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "a1a1a1a1 (head), a change\n")


# What a Config of others is taken for


def test_a_config_of_the_alembic_command_has_its_ini_read(make_project: MakeProject) -> None:
    ini = make_project({"migrate.lock_timeout": "3"})
    config = Config(os.path.relpath(ini))
    assert context_of(config).settings.options.lock_timeout == 3
    assert context_of(config).settings is context_of(config).settings


def test_the_alembic_command_runs_our_env_py(
    make_project: MakeProject, database_url: str, tmp_path: Path
) -> None:
    make_project(
        {"sqlalchemy.url": database_url},
        extra="[alembic]\nscript_location = history\npath_separator = os",
    )
    done = subprocess.run(
        [SCRIPTS / "alembic", "-c", "app.ini", "upgrade", "head"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tables(database_url) == {"a", "alembic_version"}


# What Alembic does with its options


def test_a_relative_script_location_works_from_any_folder(
    make_project: MakeProject, database_url: str
) -> None:
    ini = make_project({"sqlalchemy.url": database_url})
    assert run(ini, "upgrade", cwd="/").returncode == 0
    assert tables(database_url) == {"a", "alembic_version"}


def test_a_script_location_may_be_a_package(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "history" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_of_packages").mkdir()
    (tmp_path / "shop_of_packages" / "__init__.py").touch()
    (tmp_path / "history").rename(tmp_path / "shop_of_packages" / "history")
    result = invoke(make_project({"alembic.script_location": "shop_of_packages:history"}), "heads")
    assert result.stdout == "a1a1a1a1 (head), a change\n"


@pytest.mark.parametrize(
    ("written", "separator"),
    [("history/versions more", None), ("history/versions:more", "os"), ("\nmore", "newline")],
)
def test_version_locations_are_read(
    written: str, separator: str | None, make_project: MakeProject, tmp_path: Path
) -> None:
    more = make_history(tmp_path / "other", [Revision("b2b2b2b2")]) / "versions"
    more.rename(tmp_path / "more")
    settings = {"alembic.version_locations": written}
    if separator:
        settings["alembic.path_separator"] = separator
    result = invoke(make_project(settings), "heads")
    found = {line.split()[0] for line in result.stdout.splitlines()}
    assert found == ({"a1a1a1a1"} if "history" in written else set()) | {"b2b2b2b2"}


def test_a_new_revision_is_written_as_the_options_say(
    make_project: MakeProject, tmp_path: Path
) -> None:
    ini = make_project(
        {
            "alembic.file_template": "%(year)d_%(rev)s_%(slug)s",
            "alembic.timezone": "UTC",
            "alembic.truncate_slug_length": "10",
            "alembic.output_encoding": "utf-8-sig",
        }
    )
    result = invoke(ini, "revision", "-m", "Ändert the table of users", "--rev-id", "b2b2b2b2")
    assert result.returncode == 0
    (path,) = (tmp_path / "history" / "versions").glob("2*_b2b2b2b2_*.py")
    assert path.name.endswith("_b2b2b2b2_ändert_.py")
    written = path.read_bytes()
    assert written.startswith(codecs.BOM_UTF8 + b'"""\xc3\x84ndert')
    assert b"+00:00" in written


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("file_template", "%(nope)s", "KeyError: 'nope'"),
        ("file_template", "%(rev", "ValueError: incomplete format key"),
        ("file_template", "%(rev)d", "TypeError: %d format: a real number is required, not str"),
        ("output_encoding", "nope", "LookupError: unknown encoding: nope"),
    ],
)
def test_an_option_that_no_revision_can_be_written_with_is_explained(
    key: str, value: str, reason: str, make_project: MakeProject, tmp_path: Path
) -> None:
    result = invoke(make_project({f"alembic.{key}": value}), "revision", "-m", "x")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: No revision was written: {reason}.\n"
        "Hint:  fix `alembic.file_template` (it may have rev, slug, year, month, day, hour,"
        " minute, second and epoch) or `alembic.output_encoding`.\n"
    )
    versions = (tmp_path / "history" / "versions").glob("*.py")
    assert [path.name for path in versions] == ["a1a1a1a1_.py"]


def test_the_version_table_has_the_name_of_the_option(
    make_project: MakeProject, database_url: str
) -> None:
    ini = make_project({"sqlalchemy.url": database_url, "alembic.version_table": "shop_versions"})
    assert invoke(ini, "upgrade").returncode == 0
    assert tables(database_url) == {"a", "shop_versions"}
    assert "a1a1a1a1" in invoke(ini, "current").stdout


def test_the_version_table_stands_in_the_schema_of_the_option(
    make_project: MakeProject, postgresql_url: str
) -> None:
    ini = make_project(
        {"sqlalchemy.url": postgresql_url, "alembic.version_table_schema": "deploys"}
    )
    change(postgresql_url, "CREATE SCHEMA deploys")
    assert invoke(ini, "upgrade").returncode == 0
    assert tables(postgresql_url) == {"a"}
    assert heads(postgresql_url, "deploys.alembic_version") == {"a1a1a1a1"}
    assert "a1a1a1a1" in invoke(ini, "current").stdout


@pytest.mark.parametrize(
    ("value", "found"), [("Yes", {"a1a1a1a1", "b2b2b2b2"}), ("no", {"a1a1a1a1"})]
)
def test_version_locations_are_searched_recursively_if_asked(
    value: str, found: set[str], make_project: MakeProject, tmp_path: Path
) -> None:
    deep = tmp_path / "history" / "versions" / "deep"
    (make_history(tmp_path / "other", [Revision("b2b2b2b2")]) / "versions").rename(deep)
    ini = make_project({"alembic.recursive_version_locations": value})
    result = invoke(ini, "heads")
    assert {line.split()[0] for line in result.stdout.splitlines()} == found


@pytest.mark.parametrize(("value", "found"), [("on", ["a1a1a1a1"]), ("False", [])])
def test_revisions_without_source_are_read_if_asked(
    value: str, found: list[str], make_project: MakeProject, tmp_path: Path
) -> None:
    import py_compile

    source = tmp_path / "history" / "versions" / "a1a1a1a1_.py"
    py_compile.compile(str(source), cfile=str(source) + "c", doraise=True)
    source.unlink()
    ini = make_project({"alembic.sourceless": value})
    assert [s.split()[0] for s in invoke(ini, "heads").stdout.splitlines()] == found
    if found:
        assert invoke(ini, "upgrade").returncode == 0


@pytest.mark.parametrize(("value", "runs"), [("1", True), ("0", False)])
def test_revision_runs_env_py_if_asked(
    value: str, runs: bool, make_project: MakeProject, tmp_path: Path
) -> None:
    env = tmp_path / "history" / "env.py"
    env.write_text(env.read_text() + "\nopen(__file__ + '.ran', 'w').close()\n")
    ini = make_project({"alembic.revision_environment": value})
    assert invoke(ini, "upgrade").returncode == 0
    (tmp_path / "history" / "env.py.ran").unlink()
    assert invoke(ini, "revision", "-m", "more").returncode == 0
    assert (tmp_path / "history" / "env.py.ran").exists() is runs


def test_prepend_sys_path_makes_modules_importable(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "module_beside_the_ini.py").touch()
    env = tmp_path / "history" / "env.py"
    env.write_text("import module_beside_the_ini\n" + env.read_text())
    assert invoke(make_project(), "current").returncode == 2
    assert invoke(make_project({"alembic.prepend_sys_path": "src"}), "current").returncode == 0


def test_script_directory_understands_the_config(make_project: MakeProject) -> None:
    script = ScriptDirectory.from_config(alembic_config(make_project()))
    assert script.get_heads() == ["a1a1a1a1"]


# What env.py may look for in the options of the command line

COMMANDS = [
    ["upgrade", "head"],
    ["downgrade", "base"],
    ["current"],
    ["history", "--indicate-current"],
    ["stamp", "head"],
    ["check"],
    ["revision", "--autogenerate", "-m", "x"],
    ["ensure-version"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=[args[0] for args in COMMANDS])
def test_env_py_finds_all_the_options_that_alembic_leaves(
    command: list[str], make_project: MakeProject, tmp_path: Path
) -> None:
    env = tmp_path / "history" / "env.py"
    env.write_text(
        env.read_text() + "from alembic import context\n"
        "opts = context.config.cmd_opts\n"
        "with open(__file__ + '.seen', 'w') as file:\n"
        "    print(opts.cmd[0].__name__, *sorted(vars(opts)), file=file)\n"
    )
    ini = make_project({"alembic.target_metadata": "myapp.models:Base.metadata"})
    if command[0] not in {"upgrade", "stamp", "ensure-version"}:
        assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, *command).returncode in {0, 4}
    name, *names = (tmp_path / "history" / "env.py.seen").read_text().split()
    spelt = [command[0].replace("-", "_"), *command[1:]]
    expected = vars(CommandLine().parser.parse_args(spelt))
    assert name == expected["cmd"][0].__name__
    assert set(expected) <= set(names)


def test_env_py_finds_the_x_arguments(make_project: MakeProject, tmp_path: Path) -> None:
    env = tmp_path / "history" / "env.py"
    env.write_text(
        env.read_text() + "from alembic import context\n"
        "print(context.get_x_argument(as_dictionary=True), context.config.cmd_opts.x)\n"
    )
    ini = make_project()
    shown = "{'a': '1', 'b': ''} ['a=1', 'b']\n"
    assert shown in invoke("-x", "a=1", ini, "upgrade", "-x", "b").stderr
    assert "{} None\n" in invoke(ini, "current").stderr


def test_the_parser_of_the_ini_holds_no_unescaped_percent_sign(
    make_project: MakeProject, postgresql_url: str
) -> None:
    parser: ConfigParser = alembic_config(
        make_project({"sqlalchemy.url": postgresql_url, "alembic.file_template": "%(rev)s"})
    ).file_config
    assert dict(parser.items("alembic"))["file_template"] == "%(rev)s"
