"""`MYAPP_MIGRATE_INI` names the .ini file where none is typed."""

from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision, create_table
from support.refusal import refused

VARIABLE = "MYAPP_MIGRATE_INI"


@pytest.fixture
def ini(
    make_app: MakeApp, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    ini = make_app(sqlite_url, [Revision("aaaa1111", message="add a", **create_table("a"))])
    monkeypatch.setenv(VARIABLE, str(ini))
    monkeypatch.chdir(tmp_path)
    return ini


@pytest.mark.parametrize(
    "words",
    [
        ["upgrade"],
        ["db=test", "upgrade"],
        ["-q", "-x", "a=b", "upgrade"],
        ["--json", "upgrade"],
        ["app.ini", "upgrade"],
        ["./app.ini#main", "db=test", "upgrade"],
    ],
    ids=" ".join,
)
def test_a_command_needs_no_ini_file(ini: Path, words: list[str]) -> None:
    assert invoke(*words).returncode == 0
    assert invoke("current").stdout.startswith("aaaa1111")


def test_the_word_that_names_a_command_is_one_even_where_a_file_has_its_name(ini: Path) -> None:
    (ini.parent / "heads").write_text("[app:main]\n")
    assert invoke("heads").stdout.startswith("aaaa1111")
    assert "`./heads` is not the name of an .ini file." in invoke("./heads", "heads").stderr


def test_an_ini_file_that_is_typed_wins(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere.ini")
    assert invoke("app.ini", "heads").returncode == 0
    told = f"No such file: {ini.parent}/other.ini."
    refused(ini.parent, 2, told, "did you mean `app.ini`?", "other.ini", "heads")


def test_a_missing_file_is_told_with_the_variable(
    ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "nope.ini")
    told = f"No such file: {ini.parent}/nope.ini. {VARIABLE} names it."
    refused(ini.parent, 2, told, "did you mean `app.ini`?", "upgrade")
    monkeypatch.setenv(VARIABLE, str(ini.parent))
    told = f"{ini.parent} is a folder, not an .ini file. {VARIABLE} names it."
    refused(ini.parent, 2, told, "name one of its files: app.ini.", "upgrade")


def test_help_and_hints_are_as_with_an_ini_file(ini: Path) -> None:
    assert invoke("upgrade", "--help").stdout.startswith("Usage: myapp-migrate")
    assert invoke("--help").stdout.startswith("Usage: myapp-migrate")
    refused(
        ini.parent,
        2,
        "No such command 'rollback'.",
        f"`myapp-migrate {ini} downgrade -1` goes back one revision.",
        "rollback",
    )
    refused(
        ini.parent,
        2,
        "No such command 'upgrde'. Did you mean 'upgrade'?",
        "`myapp-migrate --help` shows the order, the options and the commands.",
        "upgrde",
    )


def test_an_empty_variable_names_nothing(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert "`upgrade` stands where the .ini file should." in invoke("upgrade").stderr
