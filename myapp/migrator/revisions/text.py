"""The facts of a revision file of the usual shape, by one regular expression.

The shape is that of Alembic's own templates: a docstring, the four variables in their order with
imports before or after them, then functions. Whatever else stands at the left margin, if only in
a string, is left to `syntax`.
"""

import re
import sys
from functools import cache

from .facts import Doubt, RevisionFile, facts
from .imports import annotation_holds, bindings

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
    return rf"{name}[ ]?(?::[ ]?(?P<{name}_type>{_TYPE}))?+[ ]?=[ ]?(?P<{name}>{_VALUE}){_END}"


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
    (?:{_HARMLESS})
    ''',
    re.ASCII | re.VERBOSE,
)
_ODD_LINE = re.compile(rf"\n(?!{_HARMLESS})", re.ASCII | re.VERBOSE)
_INDENTED = re.compile(r"\A[ \t]|\n[ \t]|\t")
_NAMES = re.compile(_TEXT)


def read_text(path: str, source: bytes) -> RevisionFile | Doubt | None:
    """Return the facts of a file that Python can compile, None when it has another shape."""
    # Python ends a line at \r too, and \f and \\ hide where one begins.
    if b"\r" in source or b"\f" in source or _declares_encoding(source):
        return None
    try:
        text = source.decode()
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    if head is None or _ODD_LINE.search(text, head.end()):
        return None
    doc, imports, *variables, later_imports = head.groups()
    types, values = tuple(variables[::2]), variables[1::2]
    if not _holds(imports, later_imports, types):
        return None
    revision, down_revision, branch_labels, depends_on = map(_value, values)
    return facts(path, revision, down_revision, depends_on, branch_labels, docstring(doc or ""))


@cache  # the files of a history begin alike
def _holds(imports: str, later_imports: str, types: tuple[str | None, ...]) -> bool:
    """Tell whether the imports and the annotations of the variables will do."""
    if bindings(imports) is None or bindings(later_imports) is None:
        return False
    return all(each is None or annotation_holds(each, imports) for each in types)


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
