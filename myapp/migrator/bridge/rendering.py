"""Write one revision as SQL, as `env.py` would have it, without a database."""

import io
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from alembic.ddl.impl import DefaultImpl
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Insert, TextClause, Update, literal, text
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import NoInspectionAvailable

from ..base.plans import Unrendered
from ..base.sent import Sent
from ..database.failures import reason_of
from ..database.listening import listening
from .context import RunContext
from .models import naming_convention
from .planned_step import PlannedStep

_BEGINS = {"BEGIN", "BEGIN TRANSACTION"}
#: Options of one run, in which nothing is written as SQL.
_OF_THE_RUN = {
    *("as_sql", "destination_rev", "dont_mutate", "fn", "literal_binds", "output_buffer"),
    *("output_encoding", "purge", "revision_context", "script", "starting_rev", "tag"),
}
_ASKS = "it asks the database, and goes by the answer"
_CONNECTS = "it opens a connection of its own"
_COPIES = "a batch copies the table, and reads first how it is made, as its `copy_from` would tell"


class Setup(NamedTuple):
    """How `env.py` has configured Alembic for one database, and what it gives to revisions."""

    dialect: str
    options: Mapping[str, Any]
    arguments: Mapping[str, Any]


class _Asked(AttributeError):
    """A revision wants to know what the database answers.

    Alembic takes AttributeError for the sign of a connection that only writes SQL.
    """


def setup_of(context: RunContext, migration_context: MigrationContext) -> Setup:
    """Return the setup of the database that `env.py` has opened, or would open."""
    dialect = migration_context.dialect
    options = {k: v for k, v in migration_context.opts.items() if k not in _OF_THE_RUN}
    if options.get("target_metadata") is None:
        options["target_metadata"] = naming_convention(context.settings)
    return Setup(f"{dialect.name}+{dialect.driver}", options, dict(context.env_py.given))


class Renderer:
    """Writes the revisions of one plan."""

    def __init__(self, environment: EnvironmentContext, setup: Setup) -> None:
        self._writer = _Writer()
        environment.configure(
            dialect_name=setup.dialect,
            dialect_opts={"paramstyle": "named"},
            output_buffer=self._writer,
            literal_binds=True,
            **setup.options,
        )
        self._context = environment.get_context()
        self._arguments = setup.arguments
        bind: Any = _Bind(self._context.impl)
        self._context.connection = self._context.impl.connection = bind

    def rendered(self, step: PlannedStep) -> tuple[tuple[Sent, ...], Unrendered | None]:
        """Return what a revision sends, and why that is not all, if it isn't."""
        path = step.revision.path
        self._writer.begin(path, is_transactional=self.is_transactional)
        unrendered = None
        with Operations.context(self._context), listening(do_connect=_refuse):
            try:
                step.function(**self._arguments)
            # A revision may raise anything, and end the process by `sys.exit()`.
            except (Exception, SystemExit) as error:  # noqa: BLE001
                unrendered = Unrendered(_line(error, path), _why(error))
        return tuple(self._writer.sent), unrendered

    @property
    def is_shared(self) -> bool:
        """Whether all revisions of a run share one transaction."""
        return self.is_transactional and not self._context.opts["transaction_per_migration"]

    @property
    def is_transactional(self) -> bool:
        """Whether a revision begins in a transaction."""
        return self._context.impl.transactional_ddl


@contextmanager
def rendering(context: RunContext, script: ScriptDirectory, setup: Setup) -> Iterator[Renderer]:
    """Yield what writes revisions as SQL. They find `op` and `context` in offline mode."""
    arguments = context.env_py.arguments
    environment = EnvironmentContext(context.config, script, as_sql=True, **arguments)
    with environment:
        yield Renderer(environment, setup)


class _Writer(io.StringIO):
    """Takes what Alembic writes: one statement at a time."""

    def begin(self, path: str, *, is_transactional: bool) -> None:
        self.sent: list[Sent] = []
        self._path = path
        self._is_transactional = is_transactional

    def write(self, written: str) -> int:
        sql = written.strip().removesuffix(";").rstrip()
        if sql.upper() in _BEGINS:
            self._is_transactional = True
        elif sql.upper() == "COMMIT":
            self._is_transactional = False
        elif sql:
            self.sent.append(Sent(sql, self._line(), self._is_transactional))
        return len(written)

    def _line(self) -> int | None:
        """Return the line of the revision file that is at work."""
        frames = traceback.walk_stack(None)
        return next(
            (line for frame, line in frames if frame.f_code.co_filename == self._path), None
        )


class _Bind(MockConnection):
    """What `op.get_bind()` returns: it writes each statement, and has no answer."""

    def __init__(self, impl: DefaultImpl) -> None:
        super().__init__(impl.dialect, self._write)
        self._impl = impl

    def exec_driver_sql(self, statement: str, parameters: Any = None, **_: Any) -> "_Answer":
        """Write SQL of the driver, if it has no parameters."""
        if parameters:
            raise _Asked
        # What is a parameter to SQLAlchemy is plain text to the driver.
        self._impl.execute(text(statement.replace(":", r"\:")))
        return _Answer()

    def __getattr__(self, name: str) -> NoReturn:
        raise _Asked

    def _write(self, construct: Any, parameters: Any = None) -> "_Answer":
        for each in _bound(construct, parameters):
            self._impl.execute(each)
        return _Answer()


def _bound(construct: Any, parameters: Any) -> Sequence[Any]:
    """Return the statement with its parameters, once for each set of them."""
    if not parameters:
        return [construct]
    sets = [parameters] if isinstance(parameters, Mapping) else parameters
    if isinstance(construct, TextClause):
        return [construct.bindparams(**each) for each in sets]
    if isinstance(construct, Insert | Update):
        return [construct.values({k: _typed(v) for k, v in each.items()}) for each in sets]
    return [construct.params(**each) for each in sets]


def _typed(value: Any) -> Any:
    """Return a value with its type, which a column that a revision only names doesn't have."""
    return literal(value) if isinstance(value, bool | int | float | str) else value


class _Answer:
    """The answer that no database has given: a revision may ignore it, and no more."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _Asked

    def __iter__(self) -> NoReturn:
        raise _Asked

    def __bool__(self) -> NoReturn:
        raise _Asked

    def close(self) -> None:
        """Nothing is open."""


def _refuse(*_: Any) -> NoReturn:
    raise _Connects


class _Connects(_Asked):
    """A revision wants to connect by itself."""


def _line(error: BaseException, path: str) -> int | None:
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((frame.lineno for frame in frames if frame.filename == path), None)


def _why(error: BaseException) -> str:
    if isinstance(error, _Connects):
        return _CONNECTS
    if isinstance(error, _Asked | NoInspectionAvailable):
        return _ASKS
    if isinstance(error, CommandError) and "batch mode" in str(error):
        return _COPIES
    return reason_of(error).rstrip(".")
