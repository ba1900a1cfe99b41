"""What is taken from PasteDeploy, plaster and expandvars beyond their documentation."""

import inspect
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from expandvars import ExpandvarsException, expand
from paste.deploy import loadwsgi

from myapp.migrator.settings.ini import _SettingsLoader
from myapp.migrator.settings.settings import _INI_SCHEMES


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_loader_has_what_is_overridden_and_called() -> None:
    theirs = loadwsgi.ConfigLoader
    assert parameters(_SettingsLoader.get_context) == parameters(theirs.get_context)
    assert parameters(_SettingsLoader.__init__) == parameters(theirs.__init__)
    for name in ("find_config_section", "absolute_name", "update_defaults"):
        assert callable(getattr(theirs, name))
    expected = ["self", "obj", "object_type", "protocol", "global_conf", "local_conf", "loader"]
    assert parameters(loadwsgi.LoaderContext.__init__)[:7] == expected
    for kind in (loadwsgi.APP, loadwsgi.FILTER):
        assert all(isinstance(each, list) for each in kind.egg_protocols)


@pytest.mark.parametrize(
    ("sections", "said"),
    [("[app:main]\n[pipeline:main]\n", "Ambiguous"), ("[app:other]\n", "No section")],
)
def test_an_application_that_stands_twice_is_called_ambiguous(
    tmp_path: Path, sections: str, said: str
) -> None:
    path = tmp_path / "app.ini"
    path.write_text(sections)
    with pytest.raises(LookupError, match=said):
        loadwsgi.ConfigLoader(str(path)).find_config_section(loadwsgi.APP, "main")


def test_the_kinds_of_ini_files_are_those_of_plaster_pastedeploy() -> None:
    found = {each.name for each in entry_points(group="plaster.loader_factory")}
    assert found - {"egg"} <= _INI_SCHEMES | {"pastedeploy+egg"}
    assert found >= {"file+ini", "pastedeploy", "pastedeploy+ini"}


def test_a_variable_that_is_not_set_is_called_unbound() -> None:
    with pytest.raises(ExpandvarsException) as raised:
        expand("${NOT_SET}", nounset=True, surrounded_vars_only=True, environ={})
    name, _, reason = str(raised.value.args[0]).partition(":")
    assert (name, "unbound" in reason) == ("NOT_SET", True)
