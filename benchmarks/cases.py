"""What is measured: the questions, the commands that answer them, and the targets."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from projects import Project
from questions import BARE, CURRENT, DBMATE, DJANGO, FLASK, HISTORY, LIMIT, THEIRS
from report import Key
from sampling import Bytecode, Command, Environment
from tools import Tools, pair

#: The most that `myapp-migrate` may take, as a part of what Alembic takes, for a length.
NOTHING = {10: 0.30, 100: 0.30, 1000: 0.30, 5000: 0.15}
CURRENT_LIMITS = {10: 0.30, 100: 0.30, 1000: 0.30, 5000: 0.03}
HISTORY_LIMITS = {1000: 0.35}
ONE = {5000: 0.40}
ALL = {288: 1.00, 1000: 0.85}
NOTHING_MEMORY = 0.50
#: The same where the project's own files have no `.pyc`, and there with Alembic's own env.py.
INSTALLED = {300: 0.30, 1000: 0.25, 5000: 0.15}
INSTALLED_FOREIGN = 0.75
#: The most processor time, as a multiple of what a Python takes that does nothing.
START, START_HELP = 3.5, 2.2
#: The most that `status` may take, as a part of what `current` takes.
STATUS = 1.2

#: Of these lengths some rows only are measured; a target is set for them.
ONLY_FROM_EMPTY, ONLY_INSTALLED = 288, 300

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
    if length not in (ONLY_FROM_EMPTY, ONLY_INSTALLED):
        yield from _ordinary(project, name, folder)
    if length in (ONLY_INSTALLED, 1000, 5000):
        yield from _installed(project, name, folder)
    if length != ONLY_INSTALLED and (length != ONLY_FROM_EMPTY or name == "PostgreSQL"):
        yield from _from_empty(project, name)
    if name == "SQLite" and length in (10, 1000, 5000):
        yield from _start(project, name)


def _ordinary(project: Project, name: str, folder: Path) -> Iterator[Case]:
    """Yield what is asked of every length."""
    tools = Tools(project)
    length = tools.length
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
    yield case("current", tools.current(), _limits(CURRENT_LIMITS.get(length), limit=1.3))
    history = _limits(HISTORY_LIMITS.get(length), limit=1.3, django=1.0)
    yield case("history", tools.history(), history)
    if length in (10, 1000):
        yield case("status", tools.status(), {CURRENT: STATUS})
    yield case("one", tools.upgrade_one(), _limits(ONE.get(length)))
    yield case("sql", tools.sql(), _limits(None))
    if length in {"SQLite": (10, 1000, 5000), "PostgreSQL": (1000,)}[name]:
        environment = Environment(folder, Bytecode.NONE)
        yield case("none", upgrade, nothing, environment=environment)
        yield case("foreign", pair(upgrade, foreign=True), {THEIRS: 1.0})
        environment = Environment(folder, has_pygments=True)
        yield case("pygments", pair(upgrade), nothing, environment=environment)


def _installed(project: Project, name: str, folder: Path) -> Iterator[Case]:
    """Yield the cases in which Python has compiled the packages alone."""
    tools = Tools(project)
    length = tools.length
    environment = Environment(folder, Bytecode.INSTALLED)
    own, foreign = {THEIRS: INSTALLED[length]}, {THEIRS: INSTALLED_FOREIGN}
    upgrade, current, heads = tools.upgrade(), tools.current(), tools.heads()
    whole = _limits(INSTALLED[length], limit=1.3, django=1.0)
    for question, commands, limits in (
        ("installed", upgrade, whole),
        ("installed-current", pair(current), own),
        ("installed-heads", pair(heads), own),
        ("installed-foreign", pair(upgrade, foreign=True), foreign),
        ("installed-foreign-current", pair(current, foreign=True), foreign),
        ("installed-foreign-heads", pair(heads, foreign=True), foreign),
    ):
        # No database is asked for `heads`, so that one is as good as the other.
        if not question.endswith("heads") or name == "SQLite":
            key = Key(question, name, length)
            yield Case(key, project, commands, limits, environment=environment)


def _from_empty(project: Project, name: str) -> Iterator[Case]:
    """Yield the cases that apply all revisions."""
    tools = Tools(project)
    length = tools.length
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


def _start(project: Project, name: str) -> Iterator[Case]:
    """Yield the cases in which the time of a processor counts."""
    tools = Tools(project)
    length = tools.length
    if length == 10:
        upgrade = tools.upgrade()
        compared = (*pair(upgrade), DBMATE, LIMIT)
        commands = {tool: upgrade[tool] for tool in compared} | {BARE: tools.bare()}
        yield Case(Key("start", name, length), project, commands, {BARE: START})
    key = Key("start-completion", name, length)
    yield Case(key, project, tools.completion(), {HISTORY: 1.0})


def help_cases(project: Project) -> Iterator[Case]:
    """Yield the cases that need no database."""
    tools = Tools(project)
    commands = tools.help()
    yield Case(Key("help", "", 0), project, commands, _limits(0.25, limit=1.3, django=1.0))
    compared = {tool: commands[tool] for tool in (*pair(commands), DBMATE, LIMIT)}
    compared[BARE] = tools.bare()
    yield Case(Key("start-help", "", 0), project, compared, {BARE: START_HELP})


def _limits(
    theirs: float | None, *, limit: float | None = None, django: float | None = None
) -> Limits:
    """Return the targets of a row, in which Flask-Migrate has always to be slower."""
    limits = {THEIRS: theirs, FLASK: 1.0, DJANGO: django, LIMIT: limit}
    return {name: value for name, value in limits.items() if value is not None}
