"""What is asked, of whom, and what a reader has to know of it."""

OURS, THEIRS, FLASK, DJANGO, DBMATE, LIMIT, BARE, HISTORY, CURRENT = (
    "myapp-migrate",
    "alembic",
    "flask db",
    "manage.py",
    "dbmate",
    "the limit",
    "python -c pass",
    "history",
    "current",
)
TOOLS = (OURS, THEIRS, FLASK, DJANGO, DBMATE, LIMIT, BARE, HISTORY, CURRENT)

#: Each question with its heading, and what a reader has to know of how it is asked.
QUESTIONS = {
    "help": ("`--help`", "`flask db --help` and `manage.py --help`."),
    "nothing": (
        "`upgrade`, nothing to do",
        "`manage.py migrate`, here and below, and `dbmate up`.",
    ),
    "current": ("`current`", "Django has no such command."),
    "status": ("`status`, nothing pending", "Beside the command `current`."),
    "history": (
        "`history`",
        "`myapp-migrate` marks each revision as applied, current or pending, so it is compared with"
        " `history --indicate-current` of the others, `manage.py showmigrations`, `dbmate status`.",
    ),
    "one": ("`upgrade`, one revision pending", "Before each run, the last revision is undone."),
    "all": (
        "`upgrade` from empty, each revision in its own transaction",
        "`myapp-migrate` and Django do so by default. Alembic and Flask-Migrate are told to with"
        " `transaction_per_migration`; on SQLite they always do. Django takes minutes at 5,000.",
    ),
    "single": (
        "`upgrade` from empty, all in one transaction",
        "`migrate.transaction = single`, against the default of Alembic and Flask-Migrate. It holds"
        " the locks of all revisions to the end, for which a server has no room at 5,000.",
    ),
    "sql": ("`upgrade --sql`", "All revisions. Django writes them one by one only."),
    "foreign": (
        "`upgrade`, nothing to do, with Alembic's own `env.py`",
        "Alembic runs any `env.py` but the one that `myapp-migrate CONFIG_URI init` makes.",
    ),
    "pygments": (
        "`upgrade`, nothing to do, with Pygments installed",
        "pytest installs Pygments. Alembic then imports it, through Mako; `myapp-migrate` does not"
        " (`myapp/scripts/imports.py`). In all other rows it is hidden, since a deploy has none.",
    ),
    "installed": (
        "`upgrade`, nothing to do, no `.pyc` of the project's own files",
        "An image that is read-only, or that sets `PYTHONDONTWRITEBYTECODE`. Its packages are"
        " compiled; the project's revisions and `env.py` are not. So it is in the rows below.",
    ),
    "installed-current": ("`current`, no `.pyc` of the project's own files", ""),
    "installed-heads": ("`heads`, no `.pyc` of the project's own files", ""),
    "installed-foreign": (
        "`upgrade`, nothing to do, Alembic's own `env.py`, no `.pyc` of the project's own files",
        "",
    ),
    "installed-foreign-current": (
        "`current`, Alembic's own `env.py`, no `.pyc` of the project's own files",
        "",
    ),
    "installed-foreign-heads": (
        "`heads`, Alembic's own `env.py`, no `.pyc` of the project's own files",
        "Neither command runs `env.py` here.",
    ),
    "none": (
        "`upgrade`, nothing to do, no `.pyc` at all",
        "A read-only image without any: `PYTHONDONTWRITEBYTECODE=1`, and a `PYTHONPYCACHEPREFIX`"
        " where nothing is.",
    ),
    "start": (
        "Start-up: `upgrade`, nothing to do",
        "Seconds of a processor, here and below, as a multiple of what an idle Python takes."
        " Click and plaster are the floor: the limit imports both, and hardly anything else.",
    ),
    "start-help": ("Start-up: `--help`", ""),
    "start-completion": (
        "Start-up: completion of a revision",
        "What the shell asks for at `show <TAB>`, beside the command `history`.",
    ),
}
#: Of these the seconds of a processor count, which other processes change less.
IN_PROCESSOR_TIME = {"start", "start-help", "start-completion"}
WITH_MEMORY = ("help", "nothing", "current", "history", "one", "all")

INTRODUCTION = """\
# Speed and memory

`myapp-migrate` beside the `alembic` command, Flask-Migrate, Django and dbmate. All have the same
generated history, with one table for each revision. The migrations of Django and dbmate make the
same tables.

"The limit" is a script of a hundred lines (`benchmarks/limit.py`). It uses Click, plaster, a
regular expression over the files and one query through the bare driver. It can answer and do
nothing else, so it shows how fast such a command can be.

Written by `python benchmarks/run.py` on {system}, {cores} cores, Python {python}: {versions}.

![Time against the length of the history](performance.svg)

- Times are medians. The commands of a row run in turn, A B C A B C. The first round isn't counted.
- A ratio says how long `myapp-migrate` takes as a part of that command's time. It is the median of
  the rounds' ratios, with its quartiles. Where there is a target, it follows: met or **MISSED**.
  The target is 1.00 for Flask-Migrate everywhere, and for Django where nothing is to be done.
- Every fifth revision file does more than import and define functions, as those of real
  applications do. It has a logger, a `sa.table`, a declarative class, a `sa.Enum` or a session
  maker.
- dbmate is a program written in Go, and its migrations are files of SQL. It imports no Python, and
  shows what a start without Python costs.
- Each run is checked: the exit status, and that the database, or the output, is as it should be.
- PostgreSQL runs without `fsync`, so its commits cost less than those of a real server. SQLite's
  files are in the folder for temporary files, and its commits wait for that disk.
- The Django project has one app and no models, only their migrations; with the models,
  `manage.py migrate` takes longer. The Flask application has Flask-SQLAlchemy and no models.
- Where nothing is pending and `env.py` is the one that `init` makes, `myapp-migrate` answers from
  the files' text and the database's driver, without importing Alembic and SQLAlchemy
  (`myapp/migrator/commands/quick.py`).
"""
