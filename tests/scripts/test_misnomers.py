"""A command's name in another tool leads to the command."""

import re
from pathlib import Path

import pytest
from support.command import invoke
from support.refusal import refused

from myapp.scripts.migrate import cli


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["rollback"], "`myapp-migrate app.ini downgrade -1` goes back one revision."),
        (["migrate"], "`myapp-migrate app.ini upgrade` applies what is pending."),
        (
            ["makemigrations"],
            '`myapp-migrate app.ini revision --autogenerate -m "..."` writes what the models have'
            " and the database lacks.",
        ),
        (
            ["where"],
            "`myapp-migrate app.ini status` shows where the database stands and what is pending.",
        ),
        (
            ["showmigrations"],
            "`myapp-migrate app.ini history` lists the revisions: applied, current or pending.",
        ),
        (
            ["sqlmigrate"],
            "`myapp-migrate app.ini plan` shows what `upgrade` would do, and its SQL.",
        ),
        (
            ["redo"],
            "`myapp-migrate app.ini downgrade -1` and `myapp-migrate app.ini upgrade` run the last"
            " revision again.",
        ),
        (["db", "upgrade"], "leave `db` out: `myapp-migrate app.ini upgrade`."),
        (["db"], "leave `db` out: `myapp-migrate app.ini COMMAND`."),
        (["test"], "`myapp-migrate app.ini verify` proves the revisions."),
        (["help"], "`myapp-migrate --help` shows all commands."),
        (["help", "stamp"], "`myapp-migrate app.ini stamp --help`."),
        (["Upgrade"], "`myapp-migrate app.ini upgrade`: a command is in lower case."),
    ],
    ids=" ".join,
)
def test_the_name_that_a_command_has_elsewhere_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, 2, f"No such command '{typed[0]}'.", hint, "app.ini", *typed)
    hint = hint.replace("app.ini", "development.ini")
    refused(tmp_path, 2, f"`{typed[0]}` stands where the .ini file should.", hint, *typed)


@pytest.mark.parametrize(
    "name",
    [
        *("rollback", "migrate", "makemigrations", "state", "showmigrations", "sql", "help"),
        *("sqlmigrate", "db", "up", "down", "redo", "list", "log", "autogenerate", "new", "create"),
        *("apply", "rev", "undo", "revert", "pending", "version", "dry_run", "fake", "compare"),
    ],
)
def test_what_is_typed_instead_is_a_command(name: str) -> None:
    hint = invoke("app.ini", name).stderr.partition("Hint:  ")[2]
    typed = re.findall(r"`myapp-migrate app\.ini ([\w-]+).*?`", hint)

    assert typed or name == "help"
    assert set(typed) <= {*cli.commands, "COMMAND"}
