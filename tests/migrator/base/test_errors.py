"""The tree of errors."""

import inspect
import re

from myapp.migrator.base import errors


def test_the_tree_that_is_drawn_is_the_one_there_is() -> None:
    drawn = re.findall(r"[|`]-- (\w+) +(\d+)  (\w+)", errors.__doc__ or "")
    classes = errors.MigrateError.__subclasses__()
    # The exit status of an interrupted run is that of its signal.
    there_are = [(each.__name__, getattr(each, "exit_code", 129), each.code) for each in classes]
    assert [(name, int(status), code) for name, status, code in drawn] == there_are


def test_every_class_of_the_module_is_an_error_that_is_drawn() -> None:
    drawn = re.findall(r"^ *(?:[|`]-- )?([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    classes = [
        name
        for name, each in inspect.getmembers(errors, inspect.isclass)
        if each.__module__ == errors.__name__
    ]
    assert set(classes) <= set(drawn)
