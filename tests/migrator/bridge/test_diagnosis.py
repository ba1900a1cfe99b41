"""Revision files that form no history: the file that is to blame, and what to do about it."""

from pathlib import Path

import pytest
from support.command import Result, invoke, run
from support.database import tables
from support.history import MakeApp, Revision, create_table
from support.refusal import refused, told

from myapp.migrator.base.errors import HistoryError
from myapp.migrator.bridge.loading import load_history
from myapp.migrator.config import run_context
from myapp.migrator.run.plan import plan_upgrade

A = Revision("aaaa1111", message="add a", **create_table("a"))
FUNCTIONS = "\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
LINKS = "revision = 'bbbb2222'\ndown_revision = 'aaaa1111'\n"


@pytest.fixture
def ini(make_app: MakeApp, sqlite_url: str) -> Path:
    """An application with one good revision."""
    return make_app(sqlite_url, [A])


def add(ini: Path, content: str | bytes, name: str = "b_add_b.py") -> Path:
    path = ini.parent / "migrations" / "versions" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def error_of(ini: Path) -> HistoryError:
    """Return what comes out of loading the history, and what an upgrade would run of it."""
    with pytest.raises(HistoryError) as raised:
        plan_upgrade(load_history(run_context(ini)), "heads", ())
    return raised.value


# Each ends with the text of the error after "Revision file PATH ", and the hint.
TAKE_AWAY = "fix that line, or take the file away."
READABLE = "make it readable UTF-8 text, or take it away."
NO_NAME = 'add `revision = "..."` and `down_revision = "..."`, or take the file away.'
BROKEN = {
    "a syntax error": (
        f"{LINKS}\ndef upgrade(:\n    pass\n",
        "has a syntax error in line 4: invalid syntax.",
        TAKE_AWAY,
    ),
    "a merge conflict": (
        f"<<<<<<< HEAD\n{LINKS}=======\n{LINKS}>>>>>>> other\n",
        "has a syntax error in line 1: invalid syntax.",
        TAKE_AWAY,
    ),
    "a wrong indentation": (
        f"{LINKS}  x = 1\n",
        "has a syntax error in line 3: unexpected indent.",
        TAKE_AWAY,
    ),
    "an import of what is not there": (
        f"import gone\n{LINKS}",
        "can't be loaded: line 1 raised ModuleNotFoundError: No module named 'gone'.",
        "install it in this environment, or fix that line.",
    ),
    "an exception": (
        f"{LINKS}\n1 / 0\n",
        "can't be loaded: line 4 raised ZeroDivisionError: division by zero.",
        TAKE_AWAY,
    ),
    "an exception of several lines": (
        f"{LINKS}raise ValueError('one\\ntwo')\n",
        "can't be loaded: line 3 raised ValueError: one.",
        TAKE_AWAY,
    ),
    "an exception that says nothing": (
        f"{LINKS}raise KeyError\n",
        "can't be loaded: line 3 raised KeyError.",
        TAKE_AWAY,
    ),
    "an exit": (
        f"import sys\n{LINKS}sys.exit()\n",
        "can't be loaded: line 4 raised SystemExit.",
        TAKE_AWAY,
    ),
    "no content": ("", "has no `revision`, so it has no place in the history.", NO_NAME),
    "no revision": (
        f"down_revision = 'aaaa1111'\n{FUNCTIONS}",
        "has no `revision`, so it has no place in the history.",
        NO_NAME,
    ),
    "None for its revision": (
        "revision = None\ndown_revision = 'aaaa1111'\n",
        "has no `revision`, so it has no place in the history.",
        NO_NAME,
    ),
    "no parent": (
        f"revision = 'bbbb2222'\n{FUNCTIONS}",
        "has no `down_revision`, so it has no place in the history.",
        'add `down_revision = "..."`, None for the first revision.',
    ),
    "a number for its revision": (
        "revision = 12\ndown_revision = 'aaaa1111'\n",
        "has `revision = 12`, and a revision's name is a string.",
        "put it into quotes.",
    ),
    "a number for its parent": (
        "revision = 'bbbb2222'\ndown_revision = 11\n",
        "has `down_revision = 11`, and a revision's name is a string.",
        "put it into quotes.",
    ),
    "a parent that no file has": (
        "revision = 'bbbb2222'\ndown_revision = 'gone'\n",
        "follows revision gone, which no file has.",
        "bring back the file of gone, or fix `down_revision` and `depends_on` in this one.",
    ),
    "the beginning of a parent's name": (
        "revision = 'bbbb2222'\ndown_revision = 'aaaa'\n",
        "follows revision aaaa, which no file has.",
        "bring back the file of aaaa, or fix `down_revision` and `depends_on` in this one.",
    ),
    "one parent of two that no file has": (
        "revision = 'bbbb2222'\ndown_revision = ('aaaa1111', 'gone')\n",
        "follows revision gone, which no file has.",
        "bring back the file of gone, or fix `down_revision` and `depends_on` in this one.",
    ),
    "a dependency that no file has": (
        f"{LINKS}depends_on = 'gone'\n",
        "follows revision gone, which no file has.",
        "bring back the file of gone, or fix `down_revision` and `depends_on` in this one.",
    ),
    "a character that Alembic keeps for itself": (
        "revision = 'b@2'\ndown_revision = 'aaaa1111'\n",
        "can't be loaded: RevisionError: Character(s) '@' not allowed in revision identifier"
        " 'b@2'.",
        "fix it; `--traceback` before CONFIG_URI shows where it failed.",
    ),
    "latin-1": (
        b"# caf\xe9\nrevision = 'caf\xe9'\n",
        "can't be read: it is not UTF-8.",
        READABLE,
    ),
    "utf-16": (
        LINKS.encode("utf-16"),
        "can't be read: it is not UTF-8.",
        READABLE,
    ),
    "a NUL": (
        f"{LINKS}\0",
        "can't be read: source code string cannot contain null bytes.",
        READABLE,
    ),
}


@pytest.mark.parametrize(("content", "error", "hint"), BROKEN.values(), ids=BROKEN)
def test_the_file_to_blame_is_named(
    tmp_path: Path, ini: Path, content: str | bytes, error: str, hint: str
) -> None:
    path = add(ini, content)
    refused(tmp_path, 2, f"Revision file {path} {error}", hint, ini, "upgrade")
    assert error_of(ini).details["paths"] == [str(path)]


DIVISION = "ZeroDivisionError: division by zero."
EVERY = [
    "upgrade",
    "upgrade --sql",
    "downgrade base",
    "current",
    "history",
    "heads",
    "branches",
    "show head",
    "check",
    "revision -m x",
    "merge heads",
    "stamp head",
    "edit head",
    "ensure-version",
]


@pytest.mark.parametrize("command", EVERY)
def test_every_command_tells_of_a_file_in_doubt_that_fails(
    tmp_path: Path, ini: Path, command: str
) -> None:
    path = add(ini, LINKS.replace("'bbbb2222'", "str(1 / 0)"))
    error = f"Revision file {path} can't be loaded: line 1 raised {DIVISION}"
    refused(tmp_path, 2, error, TAKE_AWAY, ini, *command.split())


@pytest.mark.parametrize("command", ["upgrade", "upgrade --sql", "check"])
@pytest.mark.parametrize(
    "name", ["an exception", "a syntax error", "an import of what is not there"]
)
def test_a_broken_file_is_told_of_before_it_is_applied(
    tmp_path: Path, ini: Path, name: str, command: str
) -> None:
    content, error, hint = BROKEN[name]
    path = add(ini, content)
    refused(tmp_path, 2, f"Revision file {path} {error}", hint, ini, *command.split())


def test_a_broken_third_revision_stops_a_run_before_the_first(
    tmp_path: Path, make_app: MakeApp, database_url: str
) -> None:
    two = [A, Revision("bbbb2222", "aaaa1111", **create_table("b"))]
    ini = make_app(database_url, two)
    content = f"revision = 'cccc3333'\ndown_revision = 'bbbb2222'\n{FUNCTIONS}\nimport gone\n"
    path = add(ini, content, "c.py")
    line = content.count("\n")
    error = (
        f"Revision file {path} can't be loaded: line {line} raised ModuleNotFoundError: No module"
        " named 'gone'."
    )
    hint = "install it in this environment, or fix that line."
    refused(tmp_path, 2, error, hint, ini, "upgrade")
    assert tables(database_url) == set()
    assert invoke(ini, "upgrade", "bbbb2222").returncode == 0


def test_a_broken_module_that_a_file_imports_is_told_by_the_line(tmp_path: Path, ini: Path) -> None:
    (tmp_path / "broken_helper.py").write_text("1 / 0\n")
    path = add(
        ini, f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport broken_helper\n{LINKS}"
    )
    error = f"Revision file {path} can't be loaded: line 3 raised {DIVISION}"
    refused(tmp_path, 2, error, TAKE_AWAY, ini, "upgrade")


@pytest.mark.parametrize(
    "name", ["an exception", "a syntax error", "an import of what is not there"]
)
@pytest.mark.parametrize(
    "command",
    [
        "upgrade",
        "current --check-heads",
        "history",
        "heads",
        "branches",
        "show head",
        "wait",
        "revision -m x",
        "stamp heads",
        "stamp --purge heads",
        "edit heads",
        "ensure-version",
    ],
)
def test_an_applied_file_that_broke_stops_no_command(
    ini: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: str
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    path = add(ini, f"{LINKS}{FUNCTIONS}")
    assert invoke(ini, "upgrade").returncode == 0
    content = BROKEN[name][0]
    assert isinstance(content, str)
    path.write_text(content)
    assert invoke(ini, *command.split()).returncode == 0


def test_check_tells_of_all_broken_files(tmp_path: Path, ini: Path) -> None:
    first = add(ini, f"{LINKS}1 / 0\n")
    second = add(ini, "import gone\nrevision = 'c3'\ndown_revision = 'bbbb2222'\n", "c.py")
    error = (
        "2 revision files can't be loaded:"
        f"\n  Revision file {first} can't be loaded: line 3 raised ZeroDivisionError: division by"
        f" zero.\n  Revision file {second} can't be loaded: line 1 raised ModuleNotFoundError: No"
        " module named 'gone'."
    )
    refused(tmp_path, 2, error, "fix them, or take them away.", ini, "check")


def test_a_file_with_an_odd_name_is_named(tmp_path: Path, ini: Path) -> None:
    path = add(ini, "revision = 'bbbb2222'\n", "añadir b's 100%.py")
    error = f"Revision file {path} has no `down_revision`, so it has no place in the history."
    hint = 'add `down_revision = "..."`, None for the first revision.'
    refused(tmp_path, 2, error, hint, ini, "upgrade")


def test_two_files_with_one_revision_are_both_named(tmp_path: Path, ini: Path) -> None:
    path = add(ini, f"revision = 'aaaa1111'\ndown_revision = None\n{FUNCTIONS}")
    original = path.with_name("aaaa1111_.py")
    error = f"2 files have the revision aaaa1111: {original}, {path}."
    hint = "give one of them another `revision`, or take it away."
    refused(tmp_path, 2, error, hint, ini, "upgrade")
    assert error_of(ini).details["paths"] == [str(original), str(path)]


def test_two_files_with_one_branch_label_are_both_named(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str
) -> None:
    two = [Revision("aaaa1111", branch_labels="shop"), Revision("bbbb2222", branch_labels="shop")]
    ini = make_app(sqlite_url, two)
    first, second = sorted((tmp_path / "migrations" / "versions").glob("*.py"))
    error = f"2 files have the branch label shop: {first}, {second}."
    refused(tmp_path, 2, error, "give one of them another label.", ini, "upgrade")
    assert error_of(ini).details["paths"] == [str(first), str(second)]


@pytest.mark.parametrize(
    ("revisions", "circle"),
    [
        pytest.param([Revision("a1", "a1")], "a1 -> a1", id="a revision that follows itself"),
        pytest.param(
            [Revision("a1", "c3"), Revision("b2", "a1"), Revision("c3", "b2")],
            "a1 -> c3 -> b2 -> a1",
            id="three in a circle",
        ),
        pytest.param(
            [Revision("a1"), Revision("b2", "c3"), Revision("c3", "b2")],
            "b2 -> c3 -> b2",
            id="a circle beside a good line",
        ),
        pytest.param(
            [Revision("a1"), Revision("b2", "a1", depends_on="c3"), Revision("c3", "b2")],
            "b2 -> c3 -> b2",
            id="a circle with a dependency in it",
        ),
        pytest.param(
            [Revision("a1"), Revision("b2", "a1", depends_on="b2")],
            "b2 -> b2",
            id="a revision that depends on itself",
        ),
    ],
)
def test_a_circle_is_told_step_by_step(
    tmp_path: Path, make_app: MakeApp, sqlite_url: str, revisions: list[Revision], circle: str
) -> None:
    ini = make_app(sqlite_url, revisions)
    versions = tmp_path / "migrations" / "versions"
    paths = ", ".join(f"{versions}/{step}_.py" for step in circle.split(" -> ")[:-1])
    error = f"The revisions follow each other in a circle: {circle} (files: {paths})."
    hint = "fix `down_revision` or `depends_on` in one of these files."
    refused(tmp_path, 2, error, hint, ini, "upgrade")
    assert error_of(ini).details["paths"] == paths.split(", ")


def test_what_only_running_the_file_can_tell_is_told_too(ini: Path) -> None:
    path = add(ini, f"revision = 'bb'.lower()\ndown_revision = 'gone'.lower()\n{FUNCTIONS}")
    error = error_of(ini)
    assert error.message == f"Revision file {path} follows revision gone, which no file has."


def test_a_parent_that_is_a_label_is_refused(ini: Path) -> None:
    add(ini, f"{LINKS}branch_labels = 'shop'\n")
    add(ini, "revision = 'cccc3333'\ndown_revision = 'shop'\n", "c.py")
    error = error_of(ini)
    assert error.message == (
        "The revision files form no history: `cccc3333` follows `shop`, which is not there."
    )


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("upgrade", "upgrade"),
        ("upgrade", "upgrade --sql"),
        ("downgrade", "downgrade base"),
        ("downgrade", "downgrade head:base --sql"),
    ],
)
def test_a_revision_without_its_function(
    tmp_path: Path, ini: Path, sqlite_url: str, name: str, command: str
) -> None:
    path = add(ini, f"{LINKS}{FUNCTIONS}")
    invoke(ini, "upgrade", "head" if name == "downgrade" else "aaaa1111")
    path.write_text(path.read_text().replace(f"def {name}", f"def not_{name}"))
    error = f"Revision file {path} has no function `{name}()`, so it can't be run."
    hint = f"add `def {name}():` to it, with `pass` if there is nothing to do."
    refused(tmp_path, 2, error, hint, ini, *command.split())
    assert tables(sqlite_url) == {"a", "alembic_version"}


@pytest.mark.parametrize(
    "name",
    [".#b.py", "b.py.orig", "__init__.py", "notes.txt", "b.py~"],
)
def test_what_alembic_does_not_read_is_not_blamed(ini: Path, name: str) -> None:
    add(ini, "no python at all (", name)
    assert invoke(ini, "upgrade", "-q") == Result(0, "", "")


def test_the_installed_command_tells_of_it_too(ini: Path) -> None:
    path = add(ini, f"import gone\n{LINKS}")
    error = (
        f"Revision file {path} can't be loaded: line 1 raised ModuleNotFoundError: No module named"
        " 'gone'."
    )
    hint = "install it in this environment, or fix that line."
    assert run(ini, "upgrade") == Result(2, "", told(error, hint))
