"""The facts of a revision file of the usual shape, by one regular expression.

The shape is that of Alembic's own templates: a docstring, then the four variables in their order,
with imports before or after them. Functions may follow. Any other code may follow too, as long as
it has no word in it by which it could set one of these variables. The rest is left to `syntax`.
"""

import re
import sys
from functools import cache

from .facts import VARIABLES, Doubt, RevisionFile, facts

#: Module-level names that count besides the variables: the docstring, and what stands in for any.
FIXED = VARIABLES | {"__doc__", "__getattr__"}
#: By one of these, code may reach the variables of its own file without their names.
REFLECTION = frozenset(
    {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "getattr", "modules"}
    | {"import_module", "runpy", "_getframe", "currentframe", "f_globals", "f_locals", "f_back"}
    | {"gi_frame", "tb_frame", "builtins", "__import__", "__dict__", "__globals__", "__main__"}
    | {"__builtins__"}
)

_BLANK = r"[ \t]*+(?:\#[^\n]*+)?\n"
_END = rf"[ \t]*+(?:\#[^\n]*+)?(?:\n(?:{_BLANK})*+|\Z)"
_TEXT = r"""(?:"[^"\\\n]*+"|'[^'\\\n]*+')"""
_IMPORTS = rf"""(?:(?:
    import[ ][\w., ]++|from[ ][\w.]++[ ]import[ ](?:\([\w,\s]*+\)|[\w, ]++)
){_END})*+"""
_VALUE = rf"""(?:None|{_TEXT}
    |\(\s*+{_TEXT}\s*+,\s*+(?:{_TEXT}\s*+(?:,\s*+|(?=\))))*+\)
    |\[\s*+(?:{_TEXT}\s*+(?:,\s*+|(?=\])))*+\]
    |\(\))"""

_TYPE = r"[\w\[\].,|]++(?:[ ][\w\[\].,|]++)*+"


def _variable(name: str) -> str:
    return rf"{name}[ ]?(?::[ ]?{_TYPE})?+[ ]?=[ ]?(?P<{name}>{_VALUE}){_END}"


_PARAMETER = r"[a-z]\w*+(?:[ ]?:[ ]?str)?+(?:[ ]?=[ ]?(?:None|True|False|\d+|\"\w*+\"|'\w*+'))?+"
# In a string, a line that looks like these means nothing either.
_HARMLESS = rf"""[ \t\n\#]|\Z
    |def[ ](?!revision\b|down_revision\b|branch_labels\b|depends_on\b)[a-z]\w*+
        \((?:{_PARAMETER}(?:,[ ]?{_PARAMETER})*+)?\)[ ]?(?:->[ ]?(?:None|str|bool|int)[ ]?)?:"""

_HEAD = re.compile(
    rf'''
    (?:{_BLANK})*+
    (?:"""(?P<doc>[^"\\]*+(?:"(?!"")[^"\\]*+)*+)"""{_END})?
    (?P<imports>{_IMPORTS})
    {_variable("revision")}
    {_variable("down_revision")}
    (?:{_variable("branch_labels")})?
    (?:{_variable("depends_on")})?
    (?P<later_imports>{_IMPORTS})
    ''',
    re.ASCII | re.VERBOSE,
)
_STAR = r"import[\s\\]*\*"
_MAY_SET = re.compile(rf"\b(?:{'|'.join(sorted(FIXED | REFLECTION))})\b|{_STAR}", re.ASCII)
_ODD_LINE = re.compile(rf"\n(?!{_HARMLESS})", re.ASCII | re.VERBOSE)
_INDENTED = re.compile(r"\A[ \t]|\n[ \t]|\t")
_NAMES = re.compile(_TEXT)


def read_text(path: str, source: bytes) -> RevisionFile | Doubt | None:
    """Return the facts of a file, None when it has another shape.

    It may be no Python further down: who runs it will be told.
    """
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
    # Python ends a line at \r too, and \f hides where one begins.
    if b"\r" in source or b"\f" in source or _declares_encoding(source):
        return None
    try:
        text = source.decode()
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    if head is None:
        return None
    doc, imports, *variables, later_imports = head.groups()
    if _imports_may_set(imports) or _imports_may_set(later_imports):
        return None
    end = head.end()
    if _ODD_LINE.search(text, end - 1) and _may_set(text[end:]):
        return None
    revision, down_revision, branch_labels, depends_on = map(_value, variables)
    return facts(path, revision, down_revision, depends_on, branch_labels, docstring(doc or ""))


@cache  # the files of a history begin alike
def _imports_may_set(block: str) -> bool:
    return _may_set(re.sub("#.*", "", block))


def _may_set(code: str) -> bool:
    """Tell whether `code` has a word in it by which it could set a variable of its file."""
    if not code.isascii():
        from unicodedata import normalize

        code = normalize("NFKC", code)  # as Python does with names
    return _MAY_SET.search(code) is not None


def docstring(text: str) -> str:
    """Return a module's docstring as Python keeps it: since 3.13, without its indentation."""
    if sys.flags.optimize >= 2:
        return ""
    if sys.version_info >= (3, 13) and _INDENTED.search(text):
        namespace: dict[str, str] = {}
        exec(compile(repr(text), "<docstring>", "exec"), namespace)  # noqa: S102 # one literal
        return namespace["__doc__"]
    return text


def _declares_encoding(source: bytes) -> bool:
    if b"coding" not in source:
        return source.startswith(b"\xef\xbb\xbf")
    second_line = source.find(b"\n", source.find(b"\n") + 1)
    return b"coding" in source[: max(second_line, 0)] or source.startswith(b"\xef\xbb\xbf")


def _value(literal: str | None) -> str | tuple[str, ...] | None:
    if literal is None or literal == "None":
        return None
    if literal[0] in "([":
        return tuple(name[1:-1] for name in _NAMES.findall(literal))
    return literal[1:-1]
