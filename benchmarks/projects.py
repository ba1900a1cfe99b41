"""The same history as a project of each tool, as its own `init` or documentation makes one."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from databases import PROJECT, DbmateHistory, DjangoHistory, History, Sqlite
from sources import (
    DBMATE_MIGRATION,
    FLASK,
    LIMIT,
    MANAGE,
    MIGRATION,
    SETTINGS,
    revision_source,
)

PYTHON = sys.executable
SCRIPTS = Path(PYTHON).parent
LOGGING = (PROJECT / "development.ini").read_text().partition("[loggers]")[2]


@dataclass(frozen=True)
class Project:
    """A folder with the history for each tool; Django and dbmate have databases of their own."""

    folder: Path
    history: History
    django: DjangoHistory
    dbmate: DbmateHistory

    @property
    def dbmate_program(self) -> Path:
        """Where `dbmate.install` has put it."""
        return self.folder.with_name("dbmate")

    @property
    def dbmate_url(self) -> str:
        """The URL of dbmate's database, as dbmate takes it."""
        database = self.dbmate.database
        if isinstance(database, Sqlite):
            return f"sqlite:{database.path}"
        return database.url.replace("postgresql+psycopg2:", "postgres:")

    def make(self) -> None:
        """Write all that is not there yet."""
        if self.folder.exists():
            return
        self.folder.mkdir()
        self._make_pyramid()
        self._make_alembic()
        self._make_flask()
        self._make_django()
        self._make_dbmate()
        (self.folder / "limit").write_text(LIMIT)
        parent = None
        for number in range(1, self.history.length + 1):
            revision = self.history.name(number)
            text = revision_source(number, revision, parent)
            for owner in ("ours", "theirs", "each", "migrations"):
                path = self.folder / owner / "versions" / f"{revision}_change_{number}.py"
                path.write_text(text)
            parent = revision

    def _make_pyramid(self) -> None:
        url = self.history.database.url.replace("%", "%%")
        ini = f"[app:main]\nuse = egg:myapp\nsqlalchemy.url = {url}\n"
        (self.folder / "app.ini").write_text(ini)
        self._call("myapp-migrate", "app.ini", "init", "ours")
        for name, more in (
            ("app.ini", "alembic.script_location = ours\n"),
            ("single.ini", "alembic.script_location = ours\nmigrate.transaction = single\n"),
            ("foreign.ini", "alembic.script_location = theirs\n"),
        ):
            (self.folder / name).write_text(f"{ini}{more}\n[loggers]{LOGGING}")

    def _make_alembic(self) -> None:
        url = self.history.database.url.replace("%", "%%")
        for name in ("theirs", "each"):
            ini = self.folder / f"{name}.ini"
            self._call("alembic", "-c", ini.name, "init", name)
            _replace(ini, "driver://user:pass@localhost/dbname", url)
        # The one difference: each revision in a transaction of its own.
        environment = self.folder / "each" / "env.py"
        configure = "connection=connection, target_metadata=target_metadata"
        _replace(environment, configure, f"{configure}, transaction_per_migration=True")

    def _make_flask(self) -> None:
        for name, each in (("app", False), ("each", True)):
            text = FLASK.format(url=self.history.database.url, each=each)
            (self.folder / f"flask_{name}.py").write_text(text)
        self._call("flask", "--app", "flask_app", "db", "init")

    def _make_django(self) -> None:
        folder = self.folder / "django"
        migrations = folder / "shop" / "migrations"
        migrations.mkdir(parents=True)
        for package in (migrations, migrations.parent):
            (package / "__init__.py").touch()
        database = self.django.database
        if isinstance(database, Sqlite):
            configuration = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database.path)}
        else:
            url = urlsplit(database.url)
            configuration = {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.path.removeprefix("/"),
                "USER": unquote(url.username or ""),
                "PASSWORD": unquote(url.password or ""),
                "HOST": parse_qs(url.query)["host"][0],
            }
        (folder / "settings.py").write_text(SETTINGS.format(database=configuration))
        (folder / "manage.py").write_text(MANAGE)
        for number in range(1, self.django.length + 1):
            before = [("shop", self.django.name(number - 1))] if number > 1 else []
            text = MIGRATION.format(number=number, dependencies=before)
            (migrations / f"{self.django.name(number)}.py").write_text(text)

    def _make_dbmate(self) -> None:
        migrations = self.folder / "db" / "migrations"
        migrations.mkdir(parents=True)
        serial = self.dbmate.database.serial
        for number in range(1, self.dbmate.length + 1):
            path = migrations / f"{self.dbmate.name(number)}_change_{number}.sql"
            path.write_text(DBMATE_MIGRATION.format(number=number, serial=serial))

    def _call(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(
            [SCRIPTS / program, *arguments],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
        )


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"`init` writes another {path.name} than this script knows.")
    path.write_text(text.replace(old, new))
