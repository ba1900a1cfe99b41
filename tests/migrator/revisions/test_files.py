import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from support.revision_sources import (
    ALEMBIC,
    ALL,
    OURS,
    SHAPES,
    facts_by_running,
    facts_of,
    facts_of_script,
)

from myapp.migrator.revisions.facts import RevisionFile
from myapp.migrator.revisions.files import Doubt, read_revision_file, read_revision_files

HEAD = 'revision = "a"\ndown_revision = None\n'
# Read without running.
CERTAIN = {
    **ALL,
    "no docstring": HEAD,
    "empty docstring": '""""""\n' + HEAD,
    "comments only": "# x\n\n" + HEAD + "# y",
    "no newline at the end": HEAD.rstrip(),
    "Windows line ends": ALEMBIC.replace("\n", "\r\n"),
    "old Macintosh line ends": ALEMBIC.replace("\n", "\r"),
    "a byte order mark": "\ufeff" + ALEMBIC,
    "an encoding comment": "# -*- coding: utf-8 -*-\n" + ALEMBIC,
    "letters beyond ASCII": OURS.replace("Add users", "Añade 用户"),
    "a form feed": "\f\n" + OURS,
    "a docstring in single quotes": "'It is \"it\"'\n" + HEAD,
    "a raw docstring": 'r"""\\d"""\n' + HEAD,
    "a docstring with escapes": '"""\\u00e9 \\\\ \\\nnext"""\n' + HEAD,
    "an indented docstring": '"""\n    One.\n\n      Two.\n\t    Three.\n    """\n' + HEAD,
    "a docstring with variables": '"""\nrevision = "b"\n"""\n' + HEAD,
    "a docstring with quotes": '"""a "" b " """\n' + HEAD,
    "another order": 'depends_on = None\ndown_revision = "b"\nrevision = "a"\n',
    "lists": 'revision = "a"\ndown_revision = ["b"]\nbranch_labels = ["x", "y"]\n',
    "empty tuples": 'revision = "a"\ndown_revision = ()\nbranch_labels = []\ndepends_on = ()\n',
    "tuples over several lines": 'revision = "a"\ndown_revision = (\n    "b",\n    "c",\n)\n',
    "commented tuples": 'revision = "a"\ndown_revision = (\n    "b",  # one\n    "c",\n)\n',
    "strings side by side": 'revision = "a" "b"\ndown_revision = ("c" "d", "e")\n',
    "strings with prefixes": "revision = r'a'\ndown_revision = u'b'\n",
    "strings with escapes": 'revision = "\\x61"\ndown_revision = None\n',
    "a text in parentheses": 'revision = ("a")\ndown_revision = ("b")\n',
    "a line continued": 'revision = \\\n    "a"\ndown_revision = None\n',
    "two statements on a line": 'revision = "a"; down_revision = None\n',
    "annotations as text": 'revision: "str" = "a"\ndown_revision: "X | None" = None\n',
    "later annotations": "from __future__ import annotations\n"
    "revision: X = 'a'\ndown_revision: Y = None\n",
    "functions before": 'def upgrade(): pass\n\n\nrevision = "a"\ndown_revision = None\n',
    "lines at the margin of a string": HEAD + 'def upgrade():\n    x = """\nrevision = "b"\n"""\n',
    "variables in functions": HEAD + 'def upgrade():\n    revision = "b"\n    del revision\n',
    "imports in parentheses": "from sqlalchemy import (\n    Column,\n    text as t,\n)\n" + HEAD,
    "other variables": 'NAMES = {"a": [1, None]}\nSIZE: int = 3\n' + HEAD,
    "a multidb template": HEAD
    + 'def upgrade(engine_name: str) -> None:\n    globals()[f"upgrade_{engine_name}"]()\n',
}
# Certain too: code that runs, and has no way to set the variables.
CODE = {
    **SHAPES,
    "a table": "import sqlalchemy as sa\n\ntable = sa.table('t', sa.column('c'))\n" + HEAD,
    "a decorated function": HEAD + "@staticmethod\ndef f(): pass\n",
    "a class": HEAD + "class C:\n    x = 1\n",
    "a class with the variables' names": HEAD + "class C:\n    revision = 1\n    __doc__ = 'x'\n",
    "a condition": HEAD + "if True:\n    x = 1\n",
    "a shadowed annotation": "x: list[int] = [1]\n" + HEAD,
    "two at once": 'revision, down_revision = "a", None\n',
    "two at once, and another": 'revision, (x, down_revision) = "a", (len("x"), ("b",))\n',
    "two names for one value": 'x = revision = "a"\ndown_revision = None\n',
    "a name without a value": "revision: str\n" + HEAD,
    "reflection that nothing calls": HEAD + "x = 1\ndef f():\n    globals()['revision'] = 'b'\n",
    "an attribute of the name": "import types\nx = types.SimpleNamespace()\n"
    "x.revision = 1\n" + HEAD,
}
# Not for Alembic, which would fail on the way to what these files say.
BROKEN = {
    "itself": HEAD.replace("None", '"a"'),
    "an unknown module": "import nothing_of_the_kind\n" + HEAD,
    "an unknown name": "from sqlalchemy import nothing_of_the_kind\n" + HEAD,
    "a relative import": "from . import x\n" + HEAD,
    "a NUL": HEAD + "\0",
    "an exception": HEAD + "1 / 0\n",
    "a syntax error in a function": HEAD + "def upgrade():\n    x = = 1\n",
    "what only the compiler refuses": HEAD + "def upgrade():\n    x = 1\n    global x\n",
}
DOUBTFUL = {
    "nothing": "",
    "no revision": "down_revision = None\n",
    "no down_revision": 'revision = "a"\n',
    "a call": 'revision = str("a")\ndown_revision = None\n',
    "a format": 'revision = f"a"\ndown_revision = None\n',
    "a sum": 'revision = "a" + "b"\ndown_revision = None\n',
    "bytes": 'revision = b"a"\ndown_revision = None\n',
    "a number": "revision = 1\ndown_revision = None\n",
    "an empty id": 'revision = ""\ndown_revision = None\n',
    "an id that Alembic refuses": 'revision = "a-b"\ndown_revision = None\n',
    "a None among several": 'revision = "a"\ndown_revision = ("b", None)\n',
    "a set": 'revision = "a"\ndown_revision = {"b", "c"}\n',
    "twice": HEAD + 'revision = "b"\n',
    "in a condition": 'if True:\n    revision = "a"\ndown_revision = None\n',
    "a star import": HEAD + "from os.path import *\n",
    "a syntax error before them": "def upgrade(:\n" + HEAD,
    "a merge conflict": f"<<<<<<< HEAD\n{HEAD}=======\n{HEAD}>>>>>>> other\n",
    "reflection that a call reaches": HEAD + "def f():\n    globals()['revision'] = 'b'\nf()\n",
    "reflection in a decorated function": HEAD + "@print\ndef f():\n    vars()\n",
    "reflection in a class": HEAD + "class C:\n    exec('revision = 1', globals())\n",
    "a wide letter": HEAD + "\uff52evision = 'b'\n",
    "a docstring set later": HEAD + "__doc__ = 'x'\n",
    "a deletion": HEAD + "depends_on = 'x'\ndel depends_on\n",
    "a star": 'revision, *down_revision = "a", "b", "c"\n',
    "an operator": HEAD + 'revision += "b"\n',
    "an unknown encoding": "# coding: nope\n" + HEAD,
}


@pytest.mark.parametrize("name", CERTAIN)
def test_a_file_of_literals_is_read_as_alembic_runs_it(tmp_path: Path, name: str) -> None:
    found = _read(tmp_path / "x.py", CERTAIN[name])
    assert isinstance(found, RevisionFile), found
    assert facts_of(found) == facts_by_running(tmp_path / "x.py")


@pytest.mark.parametrize("name", CODE)
def test_other_code_is_told_of_and_changes_nothing(tmp_path: Path, name: str) -> None:
    found = _read(tmp_path / "x.py", CODE[name])
    assert isinstance(found, RevisionFile), found
    assert facts_of(found) == facts_by_running(tmp_path / "x.py")


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_certain_is_read_though_the_file_is_broken(tmp_path: Path, name: str) -> None:
    found = _read(tmp_path / "x.py", BROKEN[name])
    assert isinstance(found, RevisionFile), found
    assert found.revision == "a"
    with pytest.raises((Exception, SystemExit)):
        facts_by_running(tmp_path / "x.py")


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_has_to_be_run_is_in_doubt(tmp_path: Path, name: str) -> None:
    assert isinstance(_read(tmp_path / "x.py", DOUBTFUL[name]), Doubt)


def test_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(("# coding: latin-1\n" + HEAD.replace('"a"', '"é"')).encode("latin-1"))
    found = read_revision_file(str(path))
    assert isinstance(found, RevisionFile)
    assert found.revision == "é"
    assert facts_of(found) == facts_by_running(path)


def test_what_is_no_utf_8_is_read_as_python_reads_it(tmp_path: Path) -> None:
    comment, text = tmp_path / "comment.py", tmp_path / "text.py"
    comment.write_bytes(HEAD.encode() + b"# \xff\n")
    text.write_bytes(HEAD.encode() + b"x = '\xff'\n")
    found = read_revision_file(str(comment))
    assert isinstance(found, RevisionFile)
    assert facts_of(found) == facts_by_running(comment)
    assert isinstance(read_revision_file(str(text)), Doubt)


@pytest.mark.parametrize("source", [HEAD, "x = 1\n" + HEAD, DOUBTFUL["a call"]])
def test_a_file_is_read_again_after_every_edit(tmp_path: Path, source: str) -> None:
    path = tmp_path / "x.py"
    _read(path, source)
    found = _read(path, HEAD + "# mended\nbranch_labels = 'x'\n")
    assert isinstance(found, RevisionFile)
    assert found.branch_labels == ("x",)


@pytest.mark.parametrize("name", [*CERTAIN, *CODE, *BROKEN])
def test_what_is_certain_is_neither_run_nor_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    _write_source(tmp_path / "x.py", {**CERTAIN, **CODE, **BROKEN}[name])
    reading = read_revision_files([tmp_path])
    assert reading.certain
    assert reading.modules == {}
    assert _names(tmp_path) == {"x.py"}


def test_a_file_in_doubt_is_run_alone(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    say = f"import pathlib\npathlib.Path({str(ran)!r}).write_text(__name__)\n"
    _write_source(tmp_path / "a.py", say + HEAD)
    _write_source(tmp_path / "b.py", f"{say}revision = str('b')\ndown_revision = 'a'\n")

    reading = read_revision_files([tmp_path])

    assert ran.read_text() == "b_py"
    assert [file.revision for file in reading.files] == ["a", "b"]
    assert reading.certain
    assert list(reading.modules) == [str(tmp_path / "b.py")]
    assert facts_of(reading.files[1]) == facts_by_running(tmp_path / "b.py")


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_running_tells_is_what_alembic_finds(tmp_path: Path, name: str) -> None:
    _write_source(tmp_path / "x.py", DOUBTFUL[name])
    (found,) = read_revision_files([tmp_path]).entries
    try:
        expected = facts_by_running(tmp_path / "x.py")
    except (Exception, SystemExit):  # noqa: BLE001 # Alembic refuses it
        assert isinstance(found, Doubt)
    else:
        assert isinstance(found, Doubt) or facts_of(found) == expected


def test_a_file_that_fails_keeps_what_it_raised(tmp_path: Path) -> None:
    _write_source(tmp_path / "x.py", "revision = str(1 / 0)\n")
    (found,) = read_revision_files([tmp_path]).entries
    assert isinstance(found, Doubt)
    assert isinstance(found.error, ZeroDivisionError)


def test_a_file_without_a_revision_is_known_by_its_name(tmp_path: Path) -> None:
    found = _read(tmp_path / "abc123.py", "down_revision = None\n")
    assert isinstance(found, RevisionFile)
    assert facts_of(found) == facts_by_running(tmp_path / "abc123.py")


def test_an_unreadable_file_is_in_doubt(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (found,) = read_revision_files([tmp_path]).entries
    assert isinstance(found, Doubt)
    assert found.path == str(tmp_path / "nowhere.py")
    assert isinstance(found.error, FileNotFoundError)


def _plain(folder: Path) -> None:
    for name in ("b.py", "a.py", "B.py", "c.txt", "__init__.py", "__init__x.py", ".#a.py", ".x.py"):
        _write(folder / "one" / name)


def _nested(folder: Path) -> None:
    for name in ("z/1.py", "a/2.py", "a/b/3.py", "4.py", "__pycache__/5.py", "a/x__pycache__/6.py"):
        _write(folder / "one" / name)


def _linked(folder: Path) -> None:
    _write(folder / "one/a.py")
    _write(folder / "else/other.py")
    _write(folder / "else/other.txt")
    (folder / "one/b.py").symlink_to("../else/other.py")
    (folder / "one/c.txt").symlink_to("../else/other.py")
    (folder / "one/d.py").symlink_to("../else/other.txt")
    (folder / "one/e").symlink_to("../else")
    (folder / "two").symlink_to("one")


def _two(folder: Path) -> None:
    for name in ("two/b.py", "two/a.py", "one/c.py", "one/two/d.py"):
        _write(folder / name)


def _within(folder: Path) -> None:
    _write(folder / "one/a.py")
    (folder / "two").mkdir()
    (folder / "two/a.py").symlink_to(folder / "one/a.py")


def _bytecode(folder: Path) -> None:
    import py_compile

    for name in ("a.py", "b.py", "c.py", "deep/d.py"):
        _write(folder / "one" / name)
        py_compile.compile(str(folder / "one" / name))
    for name in ("b", "c"):
        py_compile.compile(str(folder / f"one/{name}.py"), str(folder / f"one/{name}.pyc"))
    (folder / "one/a.py").unlink()
    (folder / "one/b.py").unlink()
    (folder / "one/deep/d.py").unlink()


@pytest.mark.filterwarnings("ignore:File .* loaded twice")
@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("sourceless", [False, True])
@pytest.mark.parametrize("layout", [_plain, _nested, _linked, _two, _within, _bytecode])
def test_the_same_files_are_read_in_the_same_order(
    tmp_path: Path, layout: Callable[[Path], None], sourceless: bool, recursive: bool
) -> None:
    layout(tmp_path)
    locations = [tmp_path / "one", tmp_path / "two", tmp_path / "missing"]
    # First, because Alembic leaves bytecode, which the other might find.
    reading = read_revision_files(locations, sourceless=sourceless, recursive=recursive)
    script = ScriptDirectory(
        str(tmp_path),
        version_locations=[str(location) for location in locations],
        sourceless=sourceless,
        recursive_version_locations=recursive,
    )
    expected = [facts_of_script(each) for each in script._load_revisions()]
    assert [entry.path for entry in reading.entries] == [each[0] for each in expected]
    assert list(map(facts_of, reading.files)) == expected
    assert all(path.endswith((".pyc", ".pyo")) for path in reading.modules)


def test_a_file_reached_twice_is_read_once_and_told_of(tmp_path: Path) -> None:
    _within(tmp_path)
    reading = read_revision_files([tmp_path / "one", tmp_path / "two"])
    assert [file.path for file in reading.files] == [str(tmp_path / "one/a.py")]
    assert reading.twice == (str(tmp_path / "one/a.py"),)


def test_nothing_slow_is_imported() -> None:
    code = (
        "import sys, myapp.migrator.revisions.files, myapp.migrator.revisions.resolution\n"
        "print(*{'alembic', 'sqlalchemy', 'mako'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "\n"


def _read(path: Path, source: str) -> RevisionFile | Doubt:
    _write_source(path, source)
    return read_revision_file(str(path))


def _write_source(path: Path, source: str) -> None:
    path.write_text(source, encoding="utf-8", newline="")


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'revision = "{path.stem.strip("_.#")}"\ndown_revision = None\n')


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
