"""What other tools call the commands, and what to type here."""

from collections.abc import Sequence

_MEANT = {
    'revision --autogenerate -m "..."': (
        "writes what the models have and the database lacks",
        (*("makemigrations", "makemigration", "autogenerate", "generate", "diff", "automigrate"),),
    ),
    'revision -m "..."': (
        "writes a new revision",
        (*("new", "create", "make", "add", "rev", "revise", "migration"),),
    ),
    "upgrade": (
        "applies what is pending",
        (*("migrate", "up", "apply", "run", "sync", "syncdb", "deploy", "update", "forward"),),
    ),
    "downgrade -1": (
        "goes back one revision",
        (
            *(
                "rollback",
                "down",
                "undo",
                "revert",
                "unapply",
                "back",
                "backward",
                "backwards",
                "prev",
            ),
        ),
    ),
    "downgrade base": ("goes back to the beginning", ("reset", "zero", "base")),
    "downgrade -1` and `{cmd} upgrade": ("run the last revision again", ("redo", "refresh")),
    "status": (
        "shows where the database stands and what is pending",
        (*("state", "info", "version", "where"),),
    ),
    "history": (
        "lists the revisions: applied, current or pending",
        (*("showmigrations", "list", "ls", "log", "migrations", "revisions", "pending"),),
    ),
    "plan": (
        "shows what `upgrade` would do, and its SQL",
        (*("sqlmigrate", "dry-run", "dryrun", "preview"),),
    ),
    "upgrade --sql": (
        "shows the SQL, and `history` what is pending",
        (*("sql", "offline", "script"),),
    ),
    "stamp": ("sets the version table and runs nothing", ("fake", "baseline", "mark", "force")),
    "check": ("compares models and database", ("drift", "compare")),
    "verify": ("proves the revisions", ("validate", "test", "prove", "stairway")),
    "init": ("makes a migrations folder", ("initialize", "initialise", "setup", "scaffold")),
    "merge heads": ("joins several heads", ("join", "mergeheads")),
    "list-templates": ("lists the templates of `init`", ("templates", "list_template")),
}
#: What stands before the command of other tools.
_PREFIXES = {"db", "database", "alembic", "flask", "manage", "manage.py"}


def hint_for(name: str, rest: Sequence[str], commands: Sequence[str], start: str) -> str | None:
    """Return what to type for an unknown command `name` with `rest` after it, None if unknown.

    `start` is what stands before a command.
    """
    lower = name.lower()
    if lower == "help":
        asked = next((word for word in rest if word in commands), None)
        return (
            f"`{start} {asked} --help`." if asked else "`myapp-migrate --help` shows all commands."
        )
    if lower in _PREFIXES:
        after = " ".join(rest[:1]) if rest and rest[0] in commands else "COMMAND"
        return f"leave `{name}` out: `{start} {after}`."
    if lower in commands:
        return f"`{start} {lower}`: a command is in lower case."
    for typed, (does, names) in _MEANT.items():
        if lower.replace("_", "-") in names:
            return f"`{start} {typed.replace('{cmd}', start)}` {does}."
    return None
