"""Applications that were written for Alembic's own command run here unchanged."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import alembic.command
import pytest
from sqlalchemy import __version__ as sqlalchemy_version
from sqlalchemy import create_engine
from support.command import SCRIPTS, Result, invoke, run
from support.database import connection_to, heads, rows, tables
from support.shop import TEMPLATE, Shop, make_shop

from myapp.migrator.config import alembic_config
from myapp.migrator.database.url import engine_url

MakeShop = Callable[..., Shop]

# Their env.py leaves it to the garbage collector to close what it opened, as Python 3.13 notices.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")


@pytest.fixture
def explicit_url(database_url: str) -> str:
    """A URL that names its driver, as an application must that makes its own engine."""
    return database_url.replace("postgresql://", "postgresql+psycopg2://")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeShop]:
    monkeypatch.syspath_prepend(tmp_path)
    made: list[Shop] = []

    def make(url: str | None, **options: str) -> Shop:
        made.append(make_shop(tmp_path, url, **options))
        return made[-1]

    yield make
    for name in list(sys.modules):
        if any(name.startswith(shop.name) for shop in made):
            del sys.modules[name]


@pytest.fixture
def shop(make: MakeShop, explicit_url: str) -> Shop:
    return make(explicit_url)


def ok(result: Result) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


# The cookiecutter's


def test_the_cookiecutters_application_runs_through_its_whole_life(
    shop: Shop, explicit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From another folder, since its script_location is a relative path.
    monkeypatch.chdir("/")

    def command(*args: str) -> str:
        if "upgrade" not in args:
            return ok(invoke(shop.ini, *args))
        return ok(run(shop.ini, *args, env={"PYTHONPATH": str(shop.ini.parent)}))

    command("revision", "--autogenerate", "-m", "init", "--rev-id", "1111aaaa")
    assert shop.versions == [f"{date.today():%Y%m%d}_1111aaaa.py"]
    command("upgrade")
    assert tables(explicit_url) == {"models", "alembic_version"}
    assert command("current") == "1111aaaa (head), init\n"

    shop.add_column("value = Column(Integer)")
    command("revision", "--autogenerate", "-m", "value", "--rev-id", "2222bbbb")
    assert "2222bbbb" in shop.versions[-1]
    command("upgrade", "head")
    assert rows(explicit_url, "SELECT id, name, value FROM models") == []
    assert heads(explicit_url) == {"2222bbbb"}
    command("check")
    assert command("history").splitlines() == [
        "current 1111aaaa -> 2222bbbb (head), value",
        "applied <base> -> 1111aaaa, init",
    ]

    command("downgrade", "-1")
    assert heads(explicit_url) == {"1111aaaa"}
    command("downgrade", "base")
    assert tables(explicit_url) == {"alembic_version"}


@pytest.mark.parametrize("use", ["egg:{name}", "call:{name}:main"])
def test_the_application_may_be_named_in_any_way(
    use: str, make: MakeShop, explicit_url: str
) -> None:
    shop = make(explicit_url, use=use)
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init"))
    ok(invoke(shop.ini, "upgrade"))
    assert tables(explicit_url) == {"models", "alembic_version"}


def test_what_they_log_and_warn_of_goes_to_standard_error(shop: Shop) -> None:
    result = run(shop.ini, "current", "--json", env={"PYTHONPATH": str(shop.ini.parent)})
    assert json.loads(result.stdout)["ok"] is True


def test_commands_that_read_create_no_file(make: MakeShop, tmp_path: Path) -> None:
    shop = make("sqlite:///shop.sqlite")
    shop.ini.write_text(shop.ini.read_text().replace("///shop", "///%(here)s/shop"))
    ok(invoke(shop.ini, "revision", "-m", "init"))
    for command in ("current", "history", "heads", "check"):
        invoke(shop.ini, command)
    assert not list(tmp_path.glob("*.sqlite"))
    ok(invoke(shop.ini, "upgrade"))
    assert [path.name for path in tmp_path.glob("*.sqlite")] == ["shop.sqlite"]


def test_check_lists_what_their_models_have_changed(shop: Shop) -> None:
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init"))
    ok(invoke(shop.ini, "upgrade"))
    ok(invoke(shop.ini, "check"))
    shop.add_column("value = Column(Integer)")
    result = invoke(shop.ini, "check")
    assert (result.returncode, result.stdout) == (4, "")
    assert "add column models.value" in result.stderr


def test_an_autogenerate_that_finds_nothing_writes_nothing(shop: Shop) -> None:
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init"))
    ok(invoke(shop.ini, "upgrade"))
    written = shop.versions
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "more"))
    assert shop.versions == written


def test_the_script_of_an_upgrade_needs_no_database(make: MakeShop, tmp_path: Path) -> None:
    shop = make(f"sqlite:///{tmp_path}/shop.sqlite")
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init"))
    assert not (tmp_path / "shop.sqlite").exists()
    sql = ok(invoke(shop.ini, "upgrade", "--sql"))
    assert "CREATE TABLE models (" in sql
    assert not list(tmp_path.glob("*.sqlite"))


def test_stamp_and_ensure_version_write_their_version_table(shop: Shop, explicit_url: str) -> None:
    ok(invoke(shop.ini, "ensure-version"))
    assert tables(explicit_url) == {"alembic_version"}
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    ok(invoke(shop.ini, "stamp", "head"))
    assert heads(explicit_url) == {"1111aaaa"}


def test_alembics_own_command_and_this_one_take_turns(shop: Shop, explicit_url: str) -> None:
    def plain(*args: str) -> None:
        subprocess.run(
            [SCRIPTS / "alembic", "-c", shop.ini.name, *args],
            cwd=shop.ini.parent,
            env={**os.environ, "PYTHONPATH": str(shop.ini.parent)},
            check=True,
            capture_output=True,
        )

    plain("revision", "--autogenerate", "-m", "init", "--rev-id", "1111aaaa")
    ok(invoke(shop.ini, "upgrade"))
    ok(invoke(shop.ini, "revision", "-m", "more", "--rev-id", "2222bbbb"))
    plain("upgrade", "head")
    assert ok(invoke(shop.ini, "current")) == "2222bbbb (head), more\n"
    plain("downgrade", "base")
    assert heads(explicit_url) == set()


@pytest.mark.skipif(
    sqlalchemy_version.startswith("2.0."),
    reason="SQLAlchemy 2.0 takes it for psycopg2, which is there",
)
def test_a_bare_postgresql_url_is_explained_where_they_make_the_engine(
    make: MakeShop, postgresql_url: str
) -> None:
    shop = make(postgresql_url)
    result = invoke(shop.ini, "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: This application's env.py makes its own engine, and SQLAlchemy 2.1 takes a bare"
        " `postgresql://` for the driver psycopg, which is not installed.\n"
        "Hint:  write `postgresql+psycopg2://` in `sqlalchemy.url`.\n"
    )


def test_a_setting_of_the_application_wins_over_their_alembic_section(
    make: MakeShop, explicit_url: str
) -> None:
    shop = make(explicit_url)
    text = shop.ini.read_text()
    shop.ini.write_text(
        text.replace("retry.attempts", "alembic.file_template = ours_%%(rev)s\nretry.attempts")
    )
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    assert shop.versions == ["ours_1111aaaa.py"]


# Other shapes of env.py

OWN_ENGINE = """
    from alembic import context
    from sqlalchemy import {imports}

    {before}
    with {engine}.connect() as connection:
        context.configure(connection=connection, {options})
        with context.begin_transaction():
            context.run_migrations()
    """

MAIN_OPTION = "create_engine(context.config.get_main_option({key!r}))"
SECTION = "engine_from_config(context.config.get_section({section!r}), 'sqlalchemy.')"


def own_engine(engine: str, options: str = "", before: str = "") -> str:
    imports = "create_engine, engine_from_config"
    return OWN_ENGINE.format(engine=engine, options=options, before=before, imports=imports)


SHAPES = {
    "get_main_option('sqlalchemy.url')": own_engine(MAIN_OPTION.format(key="sqlalchemy.url")),
    "get_main_option('url')": own_engine(MAIN_OPTION.format(key="url")),
    "get_section('alembic')": own_engine(SECTION.format(section="alembic")),
    "get_section('app:main')": own_engine(SECTION.format(section="app:main")),
    "get_section_option('app:main', 'sqlalchemy.url')": own_engine(
        "create_engine(context.config.get_section_option('app:main', 'sqlalchemy.url'))"
    ),
    "file_config": own_engine("create_engine(context.config.file_config['alembic']['url'])"),
    "plaster": own_engine(
        "engine_from_config(plaster.get_settings(context.config.config_file_name, 'app:main'),"
        " 'sqlalchemy.')",
        before="import plaster",
    ),
    "cmd_opts.cmd": own_engine(
        MAIN_OPTION.format(key="sqlalchemy.url"),
        before="assert context.config.cmd_opts.cmd[0].__name__ in {'upgrade', 'current', 'check',"
        " 'revision', 'history', 'downgrade'}",
    ),
    "cmd_opts.x": own_engine(
        "create_engine((context.config.cmd_opts.x or"
        " [context.config.get_main_option('sqlalchemy.url')])[0])"
    ),
    "ours": "from myapp.migrator.environment import run_migrations\nrun_migrations()\n",
    "ours, with their metadata": """
        from myapp.migrator.environment import run_migrations
        from {name}.models.meta import Base
        run_migrations(target_metadata=Base.metadata)
        """,
}


@pytest.mark.parametrize("env", SHAPES.values(), ids=SHAPES)
def test_an_env_py_of_another_shape_runs(env: str, make: MakeShop, explicit_url: str) -> None:
    shop = make(explicit_url, alembic=f"url = {explicit_url}".replace("%", "%%"))
    shop.set_env(env)
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    ok(invoke(shop.ini, "upgrade"))
    assert heads(explicit_url) == {"1111aaaa"}
    assert ok(invoke(shop.ini, "current")) == "1111aaaa (head), init\n"
    assert "current <base> -> 1111aaaa (head), init\n" in ok(invoke(shop.ini, "history"))
    ok(invoke(shop.ini, "downgrade", "base"))
    assert heads(explicit_url) == set()


def test_alembics_own_generic_env_py_runs(shop: Shop, explicit_url: str) -> None:
    text = (TEMPLATE / "env.py").read_text()
    assert "\ntarget_metadata = None\n" in text
    shop.set_env(
        text.replace(
            "\ntarget_metadata = None\n",
            "\nfrom {name}.models.meta import Base\ntarget_metadata = Base.metadata\n",
        )
    )
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init", "--rev-id", "1111aaaa"))
    ok(invoke(shop.ini, "upgrade"))
    assert tables(explicit_url) == {"models", "alembic_version"}
    ok(invoke(shop.ini, "check"))
    assert "CREATE TABLE models (" in ok(invoke(shop.ini, "upgrade", "--sql"))
    ok(invoke(shop.ini, "downgrade", "base"))
    assert tables(explicit_url) == {"alembic_version"}


HOOK = """
    def leave_empty_ones_out(context_, revision, directives):
        if {condition} and directives[0].upgrade_ops.is_empty():
            directives[:] = []
            print("No changes in schema detected.")
    from {name}.models.meta import Base
    """


@pytest.mark.parametrize(
    "condition",
    [
        "context.config.cmd_opts.autogenerate",
        "getattr(context.config.cmd_opts, 'autogenerate', False)",
        "context.config.cmd_opts and context.config.cmd_opts.autogenerate",
    ],
)
def test_a_hook_that_asks_whether_this_is_an_autogenerate_runs(condition: str, shop: Shop) -> None:
    shop.set_env(
        own_engine(
            MAIN_OPTION.format(key="sqlalchemy.url"),
            "target_metadata=Base.metadata, process_revision_directives=leave_empty_ones_out",
            before=HOOK.replace("{condition}", condition).strip(),
        )
    )
    ok(invoke(shop.ini, "revision", "--autogenerate", "-m", "init", "--rev-id", "1111aaaa"))
    ok(invoke(shop.ini, "upgrade"))
    result = invoke(shop.ini, "revision", "--autogenerate", "-m", "more")
    ok(result)
    assert "No changes in schema detected.\n" in result.stderr
    assert len(shop.versions) == 1
    ok(invoke(shop.ini, "check"))
    ok(invoke(shop.ini, "revision", "-m", "by hand"))
    assert len(shop.versions) == 2


def test_a_version_table_that_only_env_py_knows_is_the_one_that_counts(
    shop: Shop, explicit_url: str
) -> None:
    shop.set_env(
        own_engine(MAIN_OPTION.format(key="sqlalchemy.url"), "version_table='shop_versions'")
    )
    for number, revision in enumerate(["1111aaaa", "2222bbbb"]):
        ok(invoke(shop.ini, "revision", "-m", f"number {number}", "--rev-id", revision))
    ok(invoke(shop.ini, "upgrade", "1111aaaa"))
    assert tables(explicit_url) == {"shop_versions"}
    assert ok(invoke(shop.ini, "current")) == "1111aaaa, number 0\n"
    history = ok(invoke(shop.ini, "history")).splitlines()
    assert [line.split()[0] for line in history] == ["pending", "current"]
    assert invoke(shop.ini, "current", "--check-heads").returncode == 3
    assert "2222bbbb" in invoke(shop.ini, "upgrade").stdout
    assert "Nothing to do" in ok(invoke(shop.ini, "upgrade"))
    ok(invoke(shop.ini, "stamp", "1111aaaa"))
    assert heads(explicit_url, "shop_versions") == {"1111aaaa"}
    ok(invoke(shop.ini, "downgrade", "-1"))
    assert tables(explicit_url) == {"shop_versions"}


FROM_ENVIRONMENT = own_engine(
    "create_engine(os.environ['SHOP_URL'])",
    "target_metadata=Base.metadata",
    before="import os\n    from {name}.models.meta import Base",
)


def test_the_ini_needs_no_url_where_env_py_knows_it(
    make: MakeShop, explicit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make(None)
    shop.set_env(FROM_ENVIRONMENT)
    monkeypatch.setenv("SHOP_URL", explicit_url)
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    assert ok(invoke(shop.ini, "current")) == "base (no revision)\n"
    ok(invoke(shop.ini, "upgrade"))
    assert heads(explicit_url) == {"1111aaaa"}
    assert ok(invoke(shop.ini, "current")) == "1111aaaa (head), init\n"
    assert "current <base> -> 1111aaaa (head), init\n" in ok(invoke(shop.ini, "history"))
    name = explicit_url.partition("?")[0].rpartition("/")[2]
    told = ok(invoke(shop.ini, "current", "-v")).splitlines()[0]
    assert told.startswith("Current revision(s) for ")
    assert told.endswith(f"/{name}:")
    ok(invoke(shop.ini, "stamp", "base"))
    assert invoke(shop.ini, "check").returncode == 3


def test_the_database_is_the_one_that_env_py_opens(
    make: MakeShop, explicit_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make(f"sqlite:///{tmp_path}/untouched.sqlite")
    shop.set_env(FROM_ENVIRONMENT)
    monkeypatch.setenv("SHOP_URL", explicit_url)
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    ok(invoke(shop.ini, "upgrade"))
    assert ok(invoke(shop.ini, "current")) == "1111aaaa (head), init\n"
    assert not (tmp_path / "untouched.sqlite").exists()


def test_a_sqlite_file_that_only_env_py_knows_is_not_made_by_reading(
    make: MakeShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make(None)
    shop.set_env(FROM_ENVIRONMENT)
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{tmp_path}/shop.sqlite")
    ok(invoke(shop.ini, "current"))
    ok(invoke(shop.ini, "history"))
    assert not (tmp_path / "shop.sqlite").exists()


@pytest.mark.parametrize(
    "engine",
    [
        "engine_from_config(context.config.get_section('alembic'), 'sqlalchemy.')",
        "create_engine(context.config.get_main_option('sqlalchemy.url'))",
        "create_engine(context.config.get_section('app:main')['sqlalchemy.url'])",
    ],
)
def test_a_url_that_their_env_py_misses_is_explained(engine: str, make: MakeShop) -> None:
    shop = make(None)
    shop.set_env(own_engine(engine))
    result = invoke(shop.ini, "upgrade")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: [app:main] in {shop.ini} has no `sqlalchemy.url`, so there is no database.\n"
        "Hint:  add `sqlalchemy.url = postgresql://user@host/database`.\n"
    )


# Those who use the Config without this command


def test_alembics_commands_run_their_env_py(shop: Shop, explicit_url: str) -> None:
    config = alembic_config(shop.ini)
    alembic.command.revision(config, "init", autogenerate=True, rev_id="1111aaaa")
    alembic.command.upgrade(config, "head")
    assert tables(explicit_url) == {"models", "alembic_version"}
    alembic.command.check(config)
    alembic.command.downgrade(config, "base")
    assert heads(explicit_url) == set()


def test_an_env_py_finds_the_connection_of_the_caller(
    make: MakeShop, explicit_url: str, tmp_path: Path
) -> None:
    shop = make(f"sqlite:///{tmp_path}/untouched.sqlite")
    shop.set_env(
        """
        from alembic import context
        connection = context.config.attributes["connection"]
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
        """
    )
    ok(invoke(shop.ini, "revision", "-m", "init", "--rev-id", "1111aaaa"))
    config = alembic_config(shop.ini)
    with connection_to(explicit_url) as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
    assert heads(explicit_url) == {"1111aaaa"}
    assert not (tmp_path / "untouched.sqlite").exists()


def test_the_url_of_the_config_is_enough_for_a_script_of_ones_own(
    shop: Shop, explicit_url: str
) -> None:
    url = alembic_config(shop.ini).get_main_option("sqlalchemy.url")
    assert url is not None
    engine = create_engine(url)
    engine.connect().close()
    engine.dispose()
    assert engine.url == engine_url(explicit_url)
