"""What is measured: the questions, the commands that answer them, and the targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from projects import PYTHON, SCRIPTS, Project
from report import DJANGO, FLASK, LIMIT, OURS, THEIRS, Key
from sampling import Bytecode, Command, Environment

#: The most that `myapp-migrate` may take, as a part of what Alembic takes, for a length.
NOTHING = {10: 0.30, 100: 0.30, 1000: 0.30, 5000: 0.15}
CURRENT = {10: 0.30, 100: 0.30, 1000: 0.30, 5000: 0.03}
HISTORY = {1000: 0.35}
ONE = {5000: 0.40}
ALL = {1000: 0.85}
NOTHING_MEMORY = 0.50

Limits = dict[str, float]


@dataclass(frozen=True)
class Case:
    """One row of the report: commands that run in turn."""

    key: Key
    project: Project
    commands: dict[str, Command]
    limits: Limits
    memory_limits: Limits = field(default_factory=dict)
    environment: Environment | None = None
    rounds: int | None = None
    from_empty: bool = False


def cases(project: Project, name: str, folder: Path) -> Iterator[Case]:
    """Yield all cases of a history on the database called `name`."""
    length = project.history.length
    tools = _Tools(project)
    upgrade = tools.upgrade()
    nothing = _limits(NOTHING.get(length), limit=1.3, django=1.0)

    def case(
        question: str,
        commands: dict[str, Command],
        limits: Limits,
        *,
        memory: Limits | None = None,
        environment: Environment | None = None,
    ) -> Case:
        key = Key(question, name, length)
        return Case(key, project, commands, limits, memory or {}, environment)

    yield case("nothing", upgrade, nothing, memory={THEIRS: NOTHING_MEMORY})
    yield case("current", tools.current(), _limits(CURRENT.get(length), limit=1.3))
    history = _limits(HISTORY.get(length), limit=1.3, django=1.0)
    yield case("history", tools.history(), history)
    yield case("one", tools.upgrade_one(), _limits(ONE.get(length)))
    yield case("sql", tools.sql(), _limits(None))
    if length in {"SQLite": (10, 1000, 5000), "PostgreSQL": (1000,)}[name]:
        for question, bytecode in (("installed", Bytecode.INSTALLED), ("none", Bytecode.NONE)):
            yield case(question, upgrade, nothing, environment=Environment(folder, bytecode))
        foreign = {OURS: tools.upgrade_foreign(), THEIRS: upgrade[THEIRS]}
        yield case("foreign", foreign, {THEIRS: 1.0})
        pair = {OURS: upgrade[OURS], THEIRS: upgrade[THEIRS]}
        environment = Environment(folder, has_pygments=True)
        yield case("pygments", pair, nothing, environment=environment)
    yield from _from_empty(tools, name)


def _from_empty(tools: "_Tools", name: str) -> Iterator[Case]:
    """Yield the cases that apply all revisions."""
    project, length = tools.project, tools.length
    limits = _limits(ALL.get(length))
    # Alembic gives each revision a transaction of its own on SQLite, whatever it is told.
    commands = tools.upgrade_all("app", each=name == "PostgreSQL")
    key = Key("all", name, length)
    if length < 5000:
        commands[DJANGO] = tools.migrate_all()
        yield Case(key, project, commands, limits, from_empty=True)
    elif name == "SQLite":
        # Without Django, which takes minutes, and twice, because each takes half of one.
        yield Case(key, project, commands, limits, rounds=2, from_empty=True)
    if length < 5000 and name == "PostgreSQL":
        commands = tools.upgrade_all("single", each=False)
        key = Key("single", name, length)
        yield Case(key, project, commands, limits, from_empty=True)


def help_case(project: Project) -> Case:
    """Return the case that needs no database."""
    tools = _Tools(project)

    def check(output: str) -> None:
        _require("usage" in output.lower() or "Type " in output, "no help")

    commands = {
        OURS: tools.command(OURS, "--help", check=check),
        THEIRS: tools.command(THEIRS, "--help", check=check),
        FLASK: tools.command(FLASK, "--help", check=check),
        DJANGO: tools.command(DJANGO, "--help", check=check),
        LIMIT: tools.command(LIMIT, "--help", check=check),
    }
    return Case(Key("help", "", 0), project, commands, _limits(0.25, limit=1.3, django=1.0))


def _limits(
    theirs: float | None, *, limit: float | None = None, django: float | None = None
) -> Limits:
    """Return the targets of a row, in which Flask-Migrate has always to be slower."""
    limits = {THEIRS: theirs, FLASK: 1.0, DJANGO: django, LIMIT: limit}
    return {name: value for name, value in limits.items() if value is not None}


def _require(holds: object, what: str) -> None:
    if not holds:
        raise SystemExit(what)


class _Tools:
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
    ) -> Command:
        """Return a command line of `tool`."""
        start, cwd = {
            OURS: ((str(SCRIPTS / "myapp-migrate"),), self.folder),
            THEIRS: ((str(SCRIPTS / "alembic"),), self.folder),
            FLASK: ((str(SCRIPTS / "flask"), "--app", flask, "db"), self.folder),
            DJANGO: ((PYTHON, "manage.py"), self.folder / "django"),
            LIMIT: ((PYTHON, "limit"), self.folder),
        }[tool]
        return Command((*start, *arguments), cwd, check, prepare)

    def upgrade(self) -> dict[str, Command]:
        """Return what upgrades a database to the head."""
        return {
            **self._alembics("upgrade", "upgrade heads", check=self._at_head),
            DJANGO: self.command(DJANGO, "migrate", check=self._django_at_head),
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

    def upgrade_foreign(self) -> Command:
        """Return the upgrade with Alembic's own env.py."""
        return self.command(OURS, "foreign.ini", "upgrade", check=self._at_head)

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
            _require(self.head in output, "the current revision isn't shown")

        return {
            **self._alembics("current", "current", check=check),
            LIMIT: self.command(LIMIT, "app.ini", "current", check=check),
        }

    def history(self) -> dict[str, Command]:
        """Return what lists the revisions with their state."""

        def check(output: str) -> None:
            _require(output.count(" -> ") >= self.length, "a revision isn't listed")
            _require("current" in output and self.head in output, "the current one isn't marked")

        def check_django(output: str) -> None:
            _require(output.count("[X]") == self.length, "a migration isn't listed")

        # Ours marks the revisions with the database's state, as Alembic does when told to.
        return {
            **self._alembics("history", "history --indicate-current", check=check),
            DJANGO: self.command(DJANGO, "showmigrations", check=check_django),
            LIMIT: self.command(LIMIT, "app.ini", "history", check=check),
        }

    def sql(self) -> dict[str, Command]:
        """Return what writes the SQL of all revisions."""

        def check(output: str) -> None:
            _require(output.count("CREATE TABLE t") == self.length, "a table isn't there")

        return self._alembics("upgrade --sql", "upgrade heads --sql", check=check)

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
