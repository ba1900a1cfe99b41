"""What one command works with, from its settings to what it has opened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.abc import Loader
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.engine import URL, Connection

from ..base.canceller import Canceller
from ..base.results import VersionTable
from ..base.watcher import Watcher
from ..settings.settings import Settings

if TYPE_CHECKING:
    from ..revisions.files import Reading

#: Of the name of a session, PostgreSQL keeps so many bytes.
LONGEST_NAME = 63


@dataclass
class OpenDatabase:
    """The engine while it is shared, and which database `env.py` has opened.

    `found` is the engine with which `env.py` has read the version table. `url` is known even where
    that failed. `stand_at` is called with each connection on which Alembic is about to run.
    """

    is_shared: bool = False
    engine: Engine | None = None
    found: Engine | None = None
    url: URL | None = None
    stand_at: Callable[[Connection], None] | None = None
    only_reads: bool = False


@dataclass
class EnvPy:
    """`env.py` as it was read, and where it says that the revision files are.

    `arguments` are those of the command, for `context.get_revision_argument()` and its like. `told`
    are the settings of which it is known, and told, that it doesn't follow them. `given` is what it
    has handed to `context.run_migrations()` last, for the functions of the revisions.
    """

    loaders: dict[str, Loader] | None = None
    script: ScriptDirectory | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What one command works with.

    `application` is the name under which a run is seen in the database, `canceller` stops its
    statement, and `watcher` hears of its progress. `reading` is what the revision files say, and
    `table` is the version table, for a caller who has just read them. `config` is Alembic's; an
    `env.py` finds this context in it. `is_scratch` tells that the database is dropped after it.
    """

    config: Config = field(repr=False)
    settings: Settings
    application: str = "alembic"
    canceller: Canceller = field(default_factory=Canceller)
    watcher: Watcher = field(default_factory=Watcher)
    reading: "Reading | None" = field(default=None, repr=False)
    table: VersionTable | None = None
    is_scratch: bool = False
    database: OpenDatabase = field(default_factory=OpenDatabase)
    env_py: EnvPy = field(default_factory=EnvPy)
