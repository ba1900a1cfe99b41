"""The reader never contradicts Alembic, whatever is done to a revision file.

Where Alembic can't load the file, there is nothing to hold it against: the text may be certain of
what the file says though it is broken further down.
"""

from collections.abc import Callable
from itertools import count, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples
from support.revision_sources import ALL, SHAPES, facts_by_running, facts_of

from myapp.migrator.revisions.files import Doubt, read_revision_file

LINES = [
    'revision += "x"',
    'revision = "zz"',
    'revision = b"x"',
    'revision = "a@b"',
    'revision = \\\n  "continued"',
    "revision: str",
    "revision.x = 1",
    "revision[0] = 1",
    "import revision",
    "import re as revision",
    "from os.path import *",
    "from nowhere import thing",
    "from sqlalchemy import nothing_of_the_kind",
    "from sqlalchemy.dialects import postgresql",
    "from __future__ import annotations",
    "import typing; Sequence = 3",
    "for revision in ('z',): pass",
    "def revision(): pass",
    "class revision: pass",
    "with open(__file__) as revision: pass",
    "try:\n    pass\nexcept Exception as revision:\n    pass",
    "match 3:\n    case revision: pass",
    "type revision = int",
    "x = (revision := 'w')",
    "x = [down_revision for down_revision in 'ab']",
    "(down_revision, y) = 'a', 'b'",
    "*branch_labels, = 'ab'",
    "pass; revision = 'semicolon'",
    "if True:",
    '    revision = "b"',
    'try: revision = "t"\nfinally: pass',
    "while 0: pass",
    'def f():\n    global revision\n    revision = "t"\nf()',
    'def f():\n    global revision\n    revision = "t"',
    'class C:\n    global revision\n    revision = "t"',
    'def f():\n    globals()["revision"] = "t"\nf()',
    'globals()["revision"] = "g"',
    'vars()["revision"] = "v"',
    "exec(\"revision = 'e'\")",
    'setattr(__import__("sys").modules.get(__name__), "revision", "s")',
    'def __getattr__(name): return "zz"',
    "del revision",
    "del depends_on",
    '__doc__ = "other"',
    'branch_labels = "a" "b"',
    "branch_labels = ()",
    "branch_labels = {'b', 'a'}",
    'depends_on = f"a"',
    'depends_on = "ae1027a6acf"',
    "down_revision = []",
    'down_revision = ("a",)',
    'down_revision = ("a", None)',
    'down_revision = ("a", "a")',
    'down_revision = ""',
    'ｒevision = "wide"',  # noqa: RUF001 # Python takes it for revision
    "async def z(): pass",
    "@property\ndef q(): pass",
    "def g(a: Undefined): pass",
    "def g(a=undefined): pass",
    "def h() -> Missing: pass",
    "raise ValueError",
    "1/0",
    "x = 5",
    "str = 5",
    "return",
    "None",
    "lambda: 1",
    "revision: str = 'again'",
    "revision, x = 'a', 'b'",
    "x, (revision, down_revision) = 'a', ('b', None)",
    "revision = x = 'chained'",
    "class C:\n    revision = 'c'",
    "class C:\n    def f(self):\n        globals()['revision'] = 't'\nC().f()",
    "def f():\n    globals()['revision'] = 't'\n[f][0]()",
    "def f():\n    globals()['revision'] = 't'\ndef g(x=f()): pass",
    "def f():\n    globals()['revision'] = 't'\n@(lambda x: f())\ndef g(): pass",
    "def f(x=globals().update(revision='t')): pass",
    "def f(x: globals().update(revision='t')): pass",
    "x: (revision := 'w') = 1",
    "import sys; sys._getframe().f_globals['revision'] = 'f'",
    "ｇlobals()['revision'] = 'wide'",  # noqa: RUF001 # Python takes it for globals
    "print(revision)",
    "# revision",
    "from alembic import op as revision",
    "from alembic import (op as branch_labels)",
    "from sys import *",
    "<<<<<<< HEAD",
    "\\",
    "(",
    ";",
    '"doc"',
    '"""',
    "'''",
    '"\\d"',
    "\f",
    "\0",
    "\ufeff",
    "é = 1",
    "# coding: latin-1",
]
SOURCES = {**ALL, **SHAPES}
PIECES = [
    b'"',
    b"'",
    b"\\",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\f",
    b"\x0b",
    b"\0",
    b"\xff",
    "é".encode(),
]
PIECES += [b"#", b"(", b")", b"[", b"]", b",", b"=", b";", b":", b".", b"@", b"*", b"a", b"None"]
WHOLE: list[Callable[[bytes], bytes]] = [
    lambda source: source.replace(b"\n", b"\r\n"),
    lambda source: source.replace(b"\n", b"\r"),
    lambda source: source.rstrip(b"\n"),
    lambda source: source.replace(b"    ", b"\t"),
    lambda source: source.replace(b"'", b'"'),
    lambda source: source.replace(b"def upgrade", b"async def upgrade"),
    lambda source: b"\xef\xbb\xbf" + source,
    lambda source: b"# coding: latin-1\n" + source,
]


@st.composite
def mutated_sources(draw: st.DrawFn) -> bytes:
    source = draw(st.sampled_from(list(SOURCES.values()))).encode()
    for _ in range(draw(st.integers(0, 3))):
        source = draw(_mutations(source))
    return source


@st.composite
def _mutations(draw: st.DrawFn, source: bytes) -> bytes:
    lines = source.split(b"\n")
    line, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    place = draw(st.integers(0, len(source)))
    match draw(st.integers(0, 7)):
        case 0 | 1:
            lines.insert(line, draw(st.sampled_from(LINES)).encode())
        case 2:
            lines.insert(line, lines[other])
        case 3:
            lines[line], lines[other] = lines[other], lines[line]
        case 4:
            del lines[line]
        case 5:
            return source[:place] + source[place + draw(st.integers(1, 4)) :]
        case 6:
            return source[:place] + draw(st.sampled_from(PIECES)) + source[place:]
        case 7:
            return draw(st.sampled_from(WHOLE))(source)
    return b"\n".join(lines)


@pytest.fixture(scope="module")
def new_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Name another file at each call, for which there is no bytecode yet."""
    folder, numbers = tmp_path_factory.mktemp("versions"), count()
    return lambda: folder / f"x{next(numbers)}_.py"


@examples(1000)
@given(mutated_sources())
def test_a_mutated_file_is_read_as_alembic_runs_it_or_is_in_doubt(
    new_path: Callable[[], Path], source: bytes
) -> None:
    path = new_path()
    path.write_bytes(source)
    found = read_revision_file(str(path))
    if isinstance(found, Doubt):
        return
    try:
        expected = facts_by_running(path)
    except (Exception, SystemExit):  # noqa: BLE001 # broken further down
        return
    assert facts_of(found) == expected


@pytest.mark.parametrize("name", SOURCES)
def test_a_line_too_many_is_read_as_alembic_runs_it_or_is_in_doubt(
    new_path: Callable[[], Path], name: str
) -> None:
    source = SOURCES[name]
    before = source.index("\nrevision") + 1
    after = source.index("\n", source.index("\ndown_revision") + 1) + 1
    for line, at in product(LINES, (0, before, after, len(source))):
        test_a_mutated_file_is_read_as_alembic_runs_it_or_is_in_doubt.hypothesis.inner_test(
            new_path, f"{source[:at]}{line}\n{source[at:]}".encode()
        )
