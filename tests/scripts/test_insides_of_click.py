"""What is taken from Click beyond its documentation."""

import inspect

import click
import pytest
from click.shell_completion import BashComplete, FishComplete
from click.testing import CliRunner

from myapp.scripts import arguments, completion, group


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (group.MigrateCommand, click.Command, ["parse_args", "invoke", "shell_complete"]),
        (
            group.IniGroup,
            click.Group,
            ["collect_usage_pieces", "get_command", "parse_args", "resolve_command"],
        ),
        (arguments.SecondsType, click.types.FloatParamType, ["convert"]),
        (arguments.RevisionType, click.types.StringParamType, ["convert", "shell_complete"]),
        (completion._Bash, BashComplete, ["get_completion_args", "format_completion"]),
    ],
)
def test_what_is_overridden_has_clicks_parameters(
    ours: type, theirs: type, names: list[str]
) -> None:
    for name in names:
        assert name in vars(ours)
        expected = list(inspect.signature(getattr(theirs, name)).parameters)
        assert list(inspect.signature(getattr(ours, name)).parameters) == expected


def test_clicks_script_for_fish_has_what_is_replaced_in_it() -> None:
    assert 'string split ","' in FishComplete.source_template
    assert "complete --no-files" in FishComplete.source_template


def test_an_argument_too_many_has_no_class_of_its_own() -> None:
    command = click.Command("one")
    with pytest.raises(click.UsageError) as raised:
        command.make_context("one", ["more"])
    assert type(raised.value) is click.UsageError


def test_click_itself_takes_a_negative_number_for_an_option() -> None:
    command = click.Command("one", params=[click.Argument(["a"])], callback=click.echo)
    command.params[0].name = "message"
    assert "No such option" in CliRunner().invoke(command, ["-1"]).output
    assert CliRunner().invoke(command, [" -1"]).output == " -1\n"
