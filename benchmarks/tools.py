"""The command lines of each tool, and what shows that they did their work."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from projects import PYTHON, SCRIPTS, Project
from questions import BARE, CURRENT, DBMATE, DJANGO, FLASK, HISTORY, LIMIT, OURS, THEIRS
from sampling import Command


def require(holds: object, what: str) -> None:
    """Stop when a command has not done what is measured."""
    if not holds:
        raise SystemExit(what)


def pair(commands: Mapping[str, Command], *, foreign: bool = False) -> dict[str, Command]:
    """Return ours and Alembic's of the commands, ours with Alembic's own env.py if `foreign`."""
    ini = "foreign.ini" if foreign else "app.ini"
    arguments = tuple(ini if each == "app.ini" else each for each in commands[OURS].arguments)
    return {OURS: replace(commands[OURS], arguments=arguments), THEIRS: commands[THEIRS]}


class Tools:
    """The command lines of each tool for a project, and what shows that they did their work."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        self.head = project.history.name(project.history.length)
        self.length = project.history.length

    def command(
        self,
        tool: str,
        *arguments: str,
        check: Callable[[str], None],
        prepare: Callable[[], None] = lambda: None,
        flask: str = "flask_app",
        variables: Mapping[str, str] | None = None,
    ) -> Command:
        """Return a command line of `tool`."""
        dbmate = (
            str(self.project.dbmate_program),
            "--no-dump-schema",
            "--url",
            self.project.dbmate_url,
        )
        start, cwd = {
            OURS: ((str(SCRIPTS / "myapp-migrate"),), self.folder),
            THEIRS: ((str(SCRIPTS / "alembic"),), self.folder),
            FLASK: ((str(SCRIPTS / "flask"), "--app", flask, "db"), self.folder),
            DJANGO: ((PYTHON, "manage.py"), self.folder / "django"),
            DBMATE: (dbmate, self.folder),
            LIMIT: ((PYTHON, "limit"), self.folder),
            BARE: ((PYTHON,), self.folder),
        }[tool]
        return Command((*start, *arguments), cwd, check, prepare, variables or {})

    def upgrade(self) -> dict[str, Command]:
        """Return what upgrades a database to the head."""
        return {
            **self._alembics("upgrade", "upgrade heads", check=self._at_head),
            DJANGO: self.command(DJANGO, "migrate", check=self._django_at_head),
            DBMATE: self.command(DBMATE, "up", check=self._dbmate_at_head),
            LIMIT: self.command(LIMIT, "app.ini", "upgrade", check=self._at_head),
        }

    def upgrade_one(self) -> dict[str, Command]:
        """Return the same, for a database that is one revision behind."""
        back = self.project.history.step_back
        django_back = self.project.django.step_back
        return {
            **self._alembics("upgrade", "upgrade heads", check=self._at_head, prepare=back),
            DJANGO: self.command(
                DJANGO, "migrate", check=self._django_at_head, prepare=django_back
            ),
        }

    def upgrade_all(self, ini: str, *, each: bool) -> dict[str, Command]:
        """Return what upgrades an empty database, `each` revision in its own transaction."""
        command = partial(
            self.command,
            check=self._at_head,
            prepare=self.project.history.database.clear,
            flask="flask_each" if each else "flask_app",
        )
        theirs = "each.ini" if each else "theirs.ini"
        return {
            OURS: command(OURS, f"{ini}.ini", "upgrade"),
            THEIRS: command(THEIRS, "-c", theirs, "upgrade", "heads"),
            FLASK: command(FLASK, "upgrade", "heads"),
        }

    def migrate_all(self) -> Command:
        """Return what migrates Django's database from empty."""
        clear = self.project.django.database.clear
        return self.command(DJANGO, "migrate", check=self._django_at_head, prepare=clear)

    def current(self) -> dict[str, Command]:
        """Return what shows where the database stands."""

        def check(output: str) -> None:
            require(self.head in output, "the current revision isn't shown")

        return {
            **self._alembics("current", "current", check=check),
            LIMIT: self.command(LIMIT, "app.ini", "current", check=check),
        }

    def status(self) -> dict[str, Command]:
        """Return what shows where the database stands and what is in the way, and `current`."""

        def check(output: str) -> None:
            require(self.head in output and "nobody holds it" in output, "something is in the way")

        status = self.command(OURS, "app.ini", "status", check=check)
        return {OURS: status, CURRENT: self.current()[OURS]}

    def heads(self) -> dict[str, Command]:
        """Return what shows the newest revision, without the database."""

        def check(output: str) -> None:
            require(self.head in output, "the newest revision isn't shown")

        return self._alembics("heads", "heads", check=check)

    def history(self) -> dict[str, Command]:
        """Return what lists the revisions with their state."""

        def check(output: str) -> None:
            require(output.count(" -> ") >= self.length, "a revision isn't listed")
            require("current" in output and self.head in output, "the current one isn't marked")

        def check_each(output: str) -> None:
            require(output.count("[X]") == self.length, "a migration isn't listed")

        # Ours marks the revisions with the database's state, as Alembic does when told to.
        return {
            **self._alembics("history", "history --indicate-current", check=check),
            DJANGO: self.command(DJANGO, "showmigrations", check=check_each),
            DBMATE: self.command(DBMATE, "status", check=check_each),
            LIMIT: self.command(LIMIT, "app.ini", "history", check=check),
        }

    def sql(self) -> dict[str, Command]:
        """Return what writes the SQL of all revisions."""

        def check(output: str) -> None:
            require(output.count("CREATE TABLE t") == self.length, "a table isn't there")

        return self._alembics("upgrade --sql", "upgrade heads --sql", check=check)

    def help(self) -> dict[str, Command]:
        """Return what shows the help."""

        def check(output: str) -> None:
            require("usage" in output.lower() or "Type " in output, "no help")

        tools = (OURS, THEIRS, FLASK, DJANGO, DBMATE, LIMIT)
        return {tool: self.command(tool, "--help", check=check) for tool in tools}

    def bare(self) -> Command:
        """Return a Python that does nothing."""
        return self.command(BARE, "-c", "pass", check=lambda output: None)

    def completion(self) -> dict[str, Command]:
        """Return the completion of a revision, and the command that lists them all."""

        def check(output: str) -> None:
            require(output.count("plain,") >= self.length, "a revision isn't offered")

        variables = {
            "_MYAPP_MIGRATE_COMPLETE": "bash_complete",
            "COMP_WORDS": "myapp-migrate app.ini show ",
            "COMP_CWORD": "3",
        }
        completion = self.command(OURS, check=check, variables=variables)
        return {OURS: completion, HISTORY: self.history()[OURS]}

    def _alembics(
        self,
        ours: str,
        theirs: str,
        *,
        check: Callable[[str], None],
        prepare: Callable[[], None] = lambda: None,
    ) -> dict[str, Command]:
        command = partial(self.command, check=check, prepare=prepare)
        return {
            OURS: command(OURS, "app.ini", *ours.split()),
            THEIRS: command(THEIRS, "-c", "theirs.ini", *theirs.split()),
            FLASK: command(FLASK, *theirs.split()),
        }

    def _at_head(self, _: str) -> None:
        self.project.history.require_head()

    def _django_at_head(self, _: str) -> None:
        self.project.django.require_head()

    def _dbmate_at_head(self, _: str) -> None:
        self.project.dbmate.require_head()
