"""What `env.py` calls: the connection, the options of the .ini file, and the models."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import alembic.command
import pytest
from sqlalchemy import Engine, create_engine, inspect
from support.command import invoke, run
from support.database import change, rows, tables
from support.history import Revision, create_table, make_history
from support.ini import MakeIni

from myapp.migrator.config import alembic_config
from myapp.migrator.database.url import engine_url

MakeProject = Callable[..., Path]

MODELS = """
    from sqlalchemy import Column, Integer, MetaData, String, Table
    from sqlalchemy.orm import declarative_base

    Base = declarative_base()
    metadata = Base.metadata
    more = MetaData()

    class A(Base):
        __tablename__ = "a"
        id = Column(Integer, primary_key=True)

    Table("b", more, Column("id", Integer, primary_key=True))
    """


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The application's models, as the module `shop_models`; it has tables `a` and, apart, `b`."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    path = tmp_path / "src" / "shop_models.py"
    path.parent.mkdir()
    path.write_text(dedent(MODELS))
    yield path
    sys.modules.pop("shop_models", None)


@pytest.fixture
def make_project(make_ini: MakeIni, tmp_path: Path, models: Path) -> MakeProject:
    """Write an .ini file with a history that creates table `a`, and the models for it."""
    make_history(tmp_path / "history", [Revision("a1a1a1a1", **create_table("a"))])

    def make(url: str, **alembic_options: str) -> Path:
        options = {
            "script_location": "history",
            "target_metadata": "shop_models:Base.metadata",
            "prepend_sys_path": "src",
            **alembic_options,
        }
        settings = {f"alembic.{key}": value for key, value in options.items()}
        return make_ini({"sqlalchemy.url": url, **settings})

    return make


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = create_engine(engine_url(database_url))
    yield made
    made.dispose()


def set_env(folder: Path, call: str, before: str = "") -> None:
    (folder / "history" / "env.py").write_text(
        f"from myapp.migrator.environment import run_migrations\n{before}\n{call}\n"
    )


# The models

NOT_COMPARING = [
    ["upgrade"],
    ["upgrade", "--sql"],
    ["downgrade", "base"],
    ["current"],
    ["history"],
    ["heads"],
    ["stamp", "heads"],
    ["ensure-version"],
    ["revision", "-m", "by hand"],
]


@pytest.mark.parametrize("command", NOT_COMPARING, ids=" ".join)
def test_models_that_cannot_be_imported_matter_to_no_command_that_changes_the_database(
    command: list[str], make_project: MakeProject, models: Path, sqlite_url: str
) -> None:
    models.write_text("raise RuntimeError('not today')\n")
    ini = make_project(sqlite_url, revision_environment="true")
    if command[0] == "downgrade":
        assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, *command).returncode == 0
    assert "shop_models" not in sys.modules


COMPARING = [["check"], ["revision", "--autogenerate", "-m", "x"]]


@pytest.mark.parametrize("command", COMPARING, ids=["check", "revision --autogenerate"])
def test_commands_that_compare_import_the_models(
    command: list[str], make_project: MakeProject, sqlite_url: str
) -> None:
    ini = make_project(sqlite_url)
    assert invoke(ini, "upgrade").returncode == 0
    assert "shop_models" not in sys.modules
    assert invoke(ini, *command).returncode == 0
    assert "shop_models" in sys.modules


@pytest.mark.parametrize("command", COMPARING, ids=["check", "revision --autogenerate"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "shop_models:Base.nothing",
            "which can't be imported: type object 'Base' has no attribute 'nothing'",
        ),
        ("shop_models:", "which is not a MetaData of SQLAlchemy"),
        ("shop_models", "which is not a MetaData of SQLAlchemy"),
        ("shop_models:Base", "which is not a MetaData of SQLAlchemy"),
        (":", "which can't be imported: invalid format: ':'"),
    ],
)
def test_a_target_metadata_that_is_none_is_explained(
    name: str, message: str, command: list[str], make_project: MakeProject, sqlite_url: str
) -> None:
    ini = make_project(sqlite_url, target_metadata=name)
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, *command)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: `alembic.target_metadata` is `{name}`, {message}.\n"
        "Hint:  write it as `package.module:Base.metadata`.\n"
    )
    versions = ini.parent / "history" / "versions"
    assert [path.name for path in versions.glob("*.py")] == ["a1a1a1a1_.py"]


@pytest.mark.parametrize("command", COMPARING, ids=["check", "revision --autogenerate"])
def test_no_target_metadata_is_explained(
    command: list[str], make_project: MakeProject, sqlite_url: str
) -> None:
    ini = make_project(sqlite_url, target_metadata="")
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, *command)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: There are no models to compare the database with: env.py has no"
        " `target_metadata`.\n"
        "Hint:  add `alembic.target_metadata = package.models:Base.metadata`, or set it in an"
        " env.py of your own.\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        "shop_models:Base.metadata",
        "shop_models:metadata",
        "shop_models.Base.metadata",
        "shop_models.metadata",
        " shop_models:metadata ",
    ],
)
def test_a_target_metadata_is_found_by_its_dotted_name(
    name: str, make_project: MakeProject, sqlite_url: str
) -> None:
    ini = make_project(sqlite_url, target_metadata=name)
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "check").returncode == 0


@pytest.mark.parametrize("names", ["{} {}", "{}, {}", "{},{}", "\n{}\n{}"])
def test_there_may_be_several_target_metadata(
    names: str, make_project: MakeProject, sqlite_url: str
) -> None:
    both = names.format("shop_models:Base.metadata", "shop_models:more")
    ini = make_project(sqlite_url, target_metadata=both)
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "check")
    assert result.returncode == 4
    assert "\n         add table b\n" in result.stderr


# What env.py adds


def test_what_env_py_names_wins_over_the_ini(
    make_project: MakeProject, tmp_path: Path, database_url: str
) -> None:
    set_env(tmp_path, "run_migrations(version_table='from_env')")
    ini = make_project(database_url, version_table="from_ini")
    assert invoke(ini, "upgrade").returncode == 0
    assert tables(database_url) == {"a", "from_env"}
    assert "a1a1a1a1" in invoke(ini, "current").stdout


def test_env_py_may_give_the_metadata(
    make_project: MakeProject, tmp_path: Path, sqlite_url: str
) -> None:
    set_env(tmp_path, "run_migrations(target_metadata=more)", "from shop_models import more")
    ini = make_project(sqlite_url, target_metadata="nowhere:metadata")
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "check")
    assert result.returncode == 4
    assert "add table b" in result.stderr


def test_env_py_may_leave_objects_out(
    make_project: MakeProject, tmp_path: Path, sqlite_url: str
) -> None:
    ini = make_project(sqlite_url, target_metadata="shop_models:Base.metadata shop_models:more")
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "check").returncode == 4
    set_env(
        tmp_path,
        "run_migrations(include_name=lambda name, kind, parents: True,"
        " include_object=lambda item, name, kind, reflected, other: name != 'b')",
    )
    assert invoke(ini, "check").returncode == 0


def test_env_py_decides_on_the_script_too(
    make_project: MakeProject, tmp_path: Path, sqlite_url: str
) -> None:
    set_env(
        tmp_path,
        "run_migrations(literal_binds=False, dialect_opts={'paramstyle': 'qmark'},"
        " url='postgresql+psycopg2://', transactional_ddl=False)",
    )
    sql = run(make_project(sqlite_url), "upgrade", "--sql").stdout
    assert "id SERIAL NOT NULL" in sql
    assert "BEGIN" not in sql


# The options of the .ini file


@pytest.mark.parametrize(("value", "status"), [("True", 4), ("yes", 4), ("False", 0), ("off", 0)])
def test_compare_type_is_read_from_the_ini(
    value: str, status: int, make_project: MakeProject, models: Path, sqlite_url: str
) -> None:
    models.write_text(models.read_text().replace("id = Column(Integer", "id = Column(String(9)"))
    ini = make_project(sqlite_url, compare_type=value)
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "check").returncode == status


@pytest.mark.parametrize(("value", "status"), [("True", 4), ("False", 0)])
def test_compare_server_default_is_read_from_the_ini(
    value: str, status: int, make_project: MakeProject, models: Path, sqlite_url: str
) -> None:
    models.write_text(
        models.read_text().replace("primary_key=True)", "primary_key=True, server_default='7')", 1)
    )
    ini = make_project(sqlite_url, compare_server_default=value)
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "check").returncode == status


@pytest.mark.parametrize(("value", "status"), [("On", 4), ("no", 0)])
def test_include_schemas_is_read_from_the_ini(
    value: str, status: int, make_project: MakeProject, postgresql_url: str
) -> None:
    change(postgresql_url, "CREATE SCHEMA other", "CREATE TABLE other.left_over (id integer)")
    ini = make_project(postgresql_url, include_schemas=value)
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "check")
    assert result.returncode == status
    assert ("remove table other.left_over" in result.stderr) is (status == 4)


@pytest.mark.parametrize(("value", "is_batch"), [("1", True), ("0", False)])
def test_render_as_batch_and_the_prefixes_are_read_from_the_ini(
    value: str, is_batch: bool, make_project: MakeProject, models: Path, sqlite_url: str
) -> None:
    ini = make_project(
        sqlite_url,
        render_as_batch=value,
        alembic_module_prefix="alembic_op.",
        sqlalchemy_module_prefix="sqlalchemy.",
    )
    models.write_text(models.read_text() + "\nA.name = Column(String(9))\n")
    assert invoke(ini, "upgrade").returncode == 0
    result = invoke(ini, "revision", "--autogenerate", "-m", "x", "--rev-id", "b2b2b2b2")
    assert result.returncode == 0
    (path,) = (ini.parent / "history" / "versions").glob("b2b2b2b2*")
    written = path.read_text()
    assert ("batch_alter_table" in written) is is_batch
    assert "sqlalchemy.Column('name', sqlalchemy.String(length=9)" in written
    assert ("alembic_op.add_column(" in written) is not is_batch


def test_batches_are_written_where_the_database_is_sqlite(
    make_project: MakeProject, models: Path, database_url: str
) -> None:
    ini = make_project(database_url)
    models.write_text(models.read_text() + "\nA.name = Column(String(9))\n")
    assert invoke(ini, "upgrade").returncode == 0
    assert invoke(ini, "revision", "--autogenerate", "-m", "x", "--rev-id", "b2").returncode == 0
    (path,) = (ini.parent / "history" / "versions").glob("b2*")
    is_sqlite = database_url.startswith("sqlite")
    assert ("batch_alter_table" in path.read_text()) is is_sqlite


@pytest.mark.parametrize(("value", "columns"), [("true", ["version_num"]), ("n", [])])
def test_version_table_pk_is_read_from_the_ini(
    value: str, columns: list[str], make_project: MakeProject, engine: Engine, database_url: str
) -> None:
    assert invoke(make_project(database_url, version_table_pk=value), "upgrade").returncode == 0
    assert inspect(engine).get_pk_constraint("alembic_version")["constrained_columns"] == columns


def test_sqlalchemys_options_reach_the_engine(make_ini: MakeIni, postgresql_url: str) -> None:
    make_history(
        make_ini({}).parent / "history",
        [
            Revision(
                "a1a1a1a1",
                upgrade='op.execute("CREATE TABLE seen AS SELECT'
                " current_setting('transaction_isolation') AS isolation,"
                " current_setting('work_mem') AS memory\")",
            )
        ],
    )
    ini = make_ini(
        {
            "sqlalchemy.url": f"{postgresql_url}&options=-c%20work_mem%3D128kB",
            "sqlalchemy.isolation_level": "SERIALIZABLE",
            "sqlalchemy.pool_size": "1",
            "sqlalchemy.pool_pre_ping": "true",
            "alembic.script_location": "history",
        }
    )
    assert invoke(ini, "upgrade").returncode == 0
    assert rows(postgresql_url, "SELECT * FROM seen") == [("serializable", "128kB")]


# The connection


def test_a_connection_of_the_caller_is_used_and_left_open(
    make_project: MakeProject, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    config = alembic_config(make_project(f"sqlite:///{tmp_path}/untouched.sqlite"))
    with engine.connect() as connection:
        transaction = connection.begin()
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
        assert set(inspect(connection).get_table_names()) == {"a", "alembic_version"}
        assert not connection.closed
        transaction.rollback()
    if engine.dialect.name == "postgresql":  # SQLite's driver keeps no DDL in a transaction
        assert tables(database_url) == set()
    assert not (tmp_path / "untouched.sqlite").exists()


def test_a_connection_without_a_transaction_is_committed(
    make_project: MakeProject, engine: Engine, database_url: str, sqlite_url: str
) -> None:
    config = alembic_config(make_project(sqlite_url))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
    assert tables(database_url) == {"a", "alembic_version"}


def test_an_engine_of_the_caller_is_used(
    make_project: MakeProject, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    config = alembic_config(make_project(f"sqlite:///{tmp_path}/untouched.sqlite"))
    config.attributes["connection"] = engine
    alembic.command.upgrade(config, "head")
    assert tables(database_url) == {"a", "alembic_version"}
    assert not (tmp_path / "untouched.sqlite").exists()


def test_with_a_connection_of_the_caller_no_url_is_needed(
    make_project: MakeProject, engine: Engine, database_url: str
) -> None:
    config = alembic_config(make_project(""))
    config.attributes["connection"] = engine
    alembic.command.upgrade(config, "head")
    assert tables(database_url) == {"a", "alembic_version"}


def test_the_database_is_the_one_of_the_settings(
    make_project: MakeProject, database_url: str
) -> None:
    alembic.command.upgrade(alembic_config(make_project(database_url)), "head")
    assert tables(database_url) == {"a", "alembic_version"}
