"""The limit: the least that answers, written for one line of revisions and nothing unusual.

Click for the command line, plaster for the settings, a regular expression for `revision` and
`down_revision` of each file, and one query through the bare driver. It can change no database.
What a command doesn't need it doesn't import.
"""

import re
from pathlib import Path

import click

REVISION = re.compile(r"""^revision(?:: str)? = ["'](\w+)["']""", re.MULTILINE)
PARENT = re.compile(r"""^down_revision(?:: [^=]+)? = (?:None|["'](\w+)["'])""", re.MULTILINE)


def read_history(versions: Path) -> dict[str, str | None]:
    """Return each revision with the one before it."""
    history = {}
    for path in versions.glob("*.py"):
        text = path.read_text()
        revision, parent = REVISION.search(text), PARENT.search(text)
        if revision and parent:
            history[revision[1]] = parent[1]
    return history


def read_version(url: str) -> str | None:
    """Return the revision at which the database stands."""
    query = "SELECT version_num FROM alembic_version"
    if url.startswith("sqlite:///"):
        import sqlite3

        row = sqlite3.connect(url.removeprefix("sqlite:///")).execute(query).fetchone()
    else:
        import psycopg2

        cursor = psycopg2.connect(url.replace("+psycopg2", "")).cursor()
        cursor.execute(query)
        row = cursor.fetchone()
    return row[0] if row else None


class Database:
    """What the commands need of the .ini file's database and history."""

    def __init__(self, config_uri: str) -> None:
        import plaster

        settings = plaster.get_settings(config_uri, "app:main")
        location = Path(config_uri).parent / settings["alembic.script_location"]
        self.history = read_history(location / "versions")
        self.version = read_version(settings["sqlalchemy.url"])
        (self.head,) = self.history.keys() - set(self.history.values())


@click.group()
@click.argument("config_uri")
@click.pass_context
def main(context: click.Context, config_uri: str) -> None:
    """Tell where the database of CONFIG_URI stands."""
    context.obj = config_uri


@main.command()
@click.pass_obj
def upgrade(config_uri: str) -> None:
    """Do nothing, where nothing is to be done."""
    database = Database(config_uri)
    if database.version != database.head:
        raise click.ClickException("revisions are pending")
    click.echo(f"Nothing to do: the database is at {database.head}.")


@main.command()
@click.pass_obj
def current(config_uri: str) -> None:
    """Show the revision at which the database stands."""
    database = Database(config_uri)
    click.echo(f"{database.version}{' (head)' if database.version == database.head else ''}")


@main.command()
@click.pass_obj
def history(config_uri: str) -> None:
    """List the revisions, the newest first, and whether they are applied."""
    database = Database(config_uri)
    lines, state = [], "pending"
    revision: str | None = database.head
    while revision:
        if revision == database.version:
            state = "current"
        parent = database.history[revision]
        lines.append(f"{state} {parent or '<base>'} -> {revision}")
        state = "applied" if state == "current" else state
        revision = parent
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
