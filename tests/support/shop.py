"""An application of the shape that pyramid-cookiecutter-starter makes, knowing nothing of ours."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import alembic

from support.wsgi import install

TEMPLATE = Path(alembic.__file__).parent / "templates" / "generic"

ENV = """
    from alembic import context
    from pyramid.paster import get_appsettings, setup_logging
    from sqlalchemy import engine_from_config

    from {name}.models.meta import Base

    config = context.config
    setup_logging(config.config_file_name)
    settings = get_appsettings(config.config_file_name)


    def run_migrations_offline():
        context.configure(url=settings["sqlalchemy.url"])
        with context.begin_transaction():
            context.run_migrations()


    def run_migrations_online():
        engine = engine_from_config(settings, prefix="sqlalchemy.")
        connection = engine.connect()
        context.configure(connection=connection, target_metadata=Base.metadata)
        try:
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.close()


    if context.is_offline_mode():
        run_migrations_offline()
    else:
        run_migrations_online()
    """

INI = """
    [app:main]
    use = {use}

    pyramid.reload_templates = true
    pyramid.default_locale_name = en
    {url}
    retry.attempts = 3

    [pshell]
    setup = {name}.pshell.setup

    [alembic]
    # path to migration scripts
    script_location = {name}/alembic
    file_template = %%(year)d%%(month).2d%%(day).2d_%%(rev)s
    # file_template = %%(rev)s_%%(slug)s
    {alembic}

    [server:main]
    use = egg:waitress#main
    listen = localhost:6543

    [loggers]
    keys = root, {name}, sqlalchemy, alembic

    [handlers]
    keys = console

    [formatters]
    keys = generic

    [logger_root]
    level = INFO
    handlers = console

    [logger_{name}]
    level = DEBUG
    handlers =
    qualname = {name}

    [logger_sqlalchemy]
    level = WARN
    handlers =
    qualname = sqlalchemy.engine

    [logger_alembic]
    level = WARN
    handlers =
    qualname = alembic

    [handler_console]
    class = StreamHandler
    args = (sys.stderr,)
    level = NOTSET
    formatter = generic

    [formatter_generic]
    format = %(asctime)s %(levelname)-5.5s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
    """

APP = """
    from pyramid.config import Configurator


    def main(global_config, **settings):
        with Configurator(settings=settings) as config:
            config.include(".models")
            return config.make_wsgi_app()
    """

MODELS = """
    from .mymodel import MyModel


    def includeme(config):
        pass
    """

META = """
    from sqlalchemy import MetaData
    from sqlalchemy.orm import declarative_base

    NAMING_CONVENTION = {"ix": "ix_%(column_0_label)s", "pk": "pk_%(table_name)s"}
    Base = declarative_base(metadata=MetaData(naming_convention=NAMING_CONVENTION))
    """

MODEL = """
    from sqlalchemy import Column, Integer, Text

    from .meta import Base


    class MyModel(Base):
        __tablename__ = "models"
        id = Column(Integer, primary_key=True)
        name = Column(Text)
    """


@dataclass(frozen=True)
class Shop:
    """Where the application is."""

    ini: Path
    name: str

    @property
    def package(self) -> Path:
        return self.ini.parent / self.name

    @property
    def env(self) -> Path:
        return self.package / "alembic" / "env.py"

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.package / "alembic" / "versions").glob("*.py"))

    def set_env(self, source: str) -> None:
        """Write another env.py; `{name}` in it is the package's name."""
        self.env.write_text(dedent(source).replace("{name}", self.name))

    def add_column(self, column: str) -> None:
        """Change the model, and forget what this process has imported of it."""
        with (self.package / "models" / "mymodel.py").open("a") as file:
            file.write(f"    {column}\n")
        for module in [module for module in sys.modules if module.startswith(self.name)]:
            del sys.modules[module]


def make_shop(folder: Path, url: str | None, use: str = "egg:{name}", alembic: str = "") -> Shop:
    """Write the application into `folder`, which must be on sys.path, and its ini beside it."""
    name = f"shop_{uuid4().hex[:8]}"
    line = f"sqlalchemy.url = {url}".replace("%", "%%") if url else ""
    files = {
        "development.ini": INI.format(
            name=name, use=use.format(name=name), url=line, alembic=alembic
        ),
        f"{name}/__init__.py": APP,
        f"{name}/models/__init__.py": MODELS,
        f"{name}/models/meta.py": META,
        f"{name}/models/mymodel.py": MODEL,
        f"{name}/alembic/env.py": ENV.replace("{name}", name),
        f"{name}/alembic/versions/README.txt": "Placeholder for alembic versions\n",
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(dedent(content).lstrip())
    shutil.copy(TEMPLATE / "script.py.mako", folder / name / "alembic")
    install(folder, name, f"[paste.app_factory]\nmain = {name}:main\n")
    return Shop(folder / "development.ini", name)
