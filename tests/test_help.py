"""`--help`: every command and every option explains itself."""

import os

import click
import pytest
from support.command import invoke, run

from myapp.scripts.migrate import cli

COMMANDS = sorted(cli.commands)


def parameters() -> list[tuple[str, click.Option]]:
    owners = {"": cli, **cli.commands}
    return [
        (name, param)
        for name, command in owners.items()
        for param in command.params
        if isinstance(param, click.Option)
    ]


def test_help_lists_every_command_and_cuts_no_sentence_short() -> None:
    result = run("--help", env={"COLUMNS": "80"}, installed=True)
    _, _, listed = result.stdout.partition("Commands:\n")
    rows = [line.split(None, 1) for line in listed.splitlines()]

    assert (result.returncode, result.stderr) == (0, "")
    assert [name for name, _ in rows] == COMMANDS
    assert not [text for _, text in rows if not text.endswith(".") or text.endswith("...")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_line_what_it_does(name: str) -> None:
    first = str(cli.commands[name].help).partition("\n")[0]

    assert first.endswith(".")
    assert first[0].isupper()


@pytest.mark.parametrize(
    ("name", "option"),
    [pytest.param(*each, id=" ".join((each[0], each[1].opts[0])).strip()) for each in parameters()],
)
def test_an_option_says_what_it_is_for(name: str, option: click.Option) -> None:
    assert option.help
    assert option.help.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("before", [[], ["missing.ini"]], ids=["alone", "after an .ini file"])
def test_help_of_a_command_needs_no_ini_file_and_shows_all_its_options(
    name: str, before: list[str]
) -> None:
    result = invoke(*before, name, "--help")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: myapp-migrate CONFIG_URI ")
    assert cli.commands[name].help.partition("\n")[0] in result.stdout.replace("\n  ", "\n")
    for param in cli.commands[name].params:
        shown = param.opts if isinstance(param, click.Option) else [str(param.name).upper()]
        assert all(text in result.stdout for text in shown)


def test_help_is_said_with_h_too() -> None:
    assert invoke("-h") == invoke("--help")


def test_the_order_of_the_parts_stands_in_the_usage_line() -> None:
    usage = "Usage: myapp-migrate [OPTIONS] CONFIG_URI [NAME=VALUE]... COMMAND [ARGS]...\n"

    assert invoke("--help").stdout.startswith(usage)


def test_without_arguments_help_goes_to_standard_error() -> None:
    result = invoke()

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: myapp-migrate [OPTIONS] CONFIG_URI")


def test_the_version_is_the_packages() -> None:
    from myapp import __version__

    result = run("--version")

    assert (result.returncode, result.stdout) == (0, f"myapp-migrate {__version__}{os.linesep}")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_looks_as_click_writes_it(name: str) -> None:
    command = cli.commands[name] if name else cli
    context = click.Context(command, info_name="myapp-migrate")
    ours, theirs = context.make_formatter(), context.make_formatter()
    command.format_help_text(context, ours)
    click.Command.format_help_text(command, context, theirs)

    assert ours.getvalue() == theirs.getvalue() != ""
