"""The same history as a project of each tool, as its own `init` or documentation makes one."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from databases import PROJECT, DjangoHistory, History, Sqlite

PYTHON = sys.executable
SCRIPTS = Path(PYTHON).parent
LOGGING = (PROJECT / "development.ini").read_text().partition("[loggers]")[2]

REVISION = '''\
"""change {number}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("t{number}")
'''

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = [
        migrations.CreateModel(
            name="T{number}",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50)),
            ],
            options={{"db_table": "t{number}"}},
        ),
    ]
"""

FLASK = """\
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
Migrate(app, SQLAlchemy(app), transaction_per_migration={each})
"""

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""

SETTINGS = """\
DATABASES = {{"default": {database!r}}}
INSTALLED_APPS = ["shop"]
SECRET_KEY = "none"
USE_TZ = True
"""

# As pip writes it for a command, so that this one starts as the others do.
LIMIT = f"""\
import sys

sys.path.insert(0, {str(Path(__file__).parent)!r})
from limit import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Project:
    """A folder with the history for each tool; Django has a database of its own."""

    folder: Path
    history: History
    django: DjangoHistory

    def make(self) -> None:
        """Write all that is not there yet."""
        if self.folder.exists():
            return
        self.folder.mkdir()
        self._make_pyramid()
        self._make_alembic()
        self._make_flask()
        self._make_django()
        (self.folder / "limit").write_text(LIMIT)
        parent = None
        for number in range(1, self.history.length + 1):
            revision = self.history.name(number)
            text = REVISION.format(number=number, revision=revision, parent=parent)
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
        for name, each in (("single", False), ("each", True)):
            text = FLASK.format(url=self.history.database.url, each=each)
            (self.folder / f"flask_{name}.py").write_text(text)
        self._call("flask", "--app", "flask_single", "db", "init")

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

    def _call(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(
            [SCRIPTS / program, *arguments],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
        )

    def remove(self) -> None:
        """Remove the folder, of which the longest has 25,000 files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"`init` writes another {path.name} than this script knows.")
    path.write_text(text.replace(old, new))
