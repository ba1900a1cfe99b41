"""What the comments of a revision file say.

`# migrate: allow RULE because REASON`, and `# migrate: irreversible because REASON`.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..base.errors import HistoryError
from ..base.spelling import nearest
from ..base.verdicts import Verdict

#: The rule of a comment that allows nothing, since it gives no reason or names no rule.
BAD_COMMENT = "allow-without-reason"
#: The rule of a comment that allows nothing, since its rule is misspelt.
UNKNOWN_RULE = "allow-unknown-rule"
_ALIKE = 0.85
#: The same danger, as the linter calls it.
_SAME = {
    "index-not-concurrent": ("require-concurrent-index-creation",),
    "foreign-key-validated-at-once": (
        "adding-foreign-key-constraint",
        "constraint-missing-not-valid",
    ),
    "check-validated-at-once": ("constraint-missing-not-valid",),
    "set-not-null-scans": ("adding-not-nullable-field",),
    "unique-constraint-builds-index": (
        "disallowed-unique-constraint",
        "constraint-missing-not-valid",
    ),
    "primary-key-builds-index": ("adding-serial-primary-key-field", "constraint-missing-not-valid"),
    "type-change-rewrites": ("changing-column-type",),
    "column-default-rewrites": ("adding-field-with-default", "adding-serial-primary-key-field"),
    "rewrite-under-lock": ("require-concurrent-reindex",),
    "rename-table": ("renaming-table",),
    "rename-column": ("renaming-column",),
    "drop-table": ("ban-drop-table",),
    "drop-column": ("ban-drop-column",),
}
_ALLOW, _IRREVERSIBLE = "allow", "irreversible"
_COMMENT = re.compile(r"#\s*migrate:\s*([\w-]*)\s*(.*)", re.IGNORECASE)
_BECAUSE = re.compile(r"because\b:?\s*(\S.*)", re.IGNORECASE)
_RULE_AND_REASON = re.compile(r"([\w-]+)\s+because\b:?\s*(\S.*)", re.IGNORECASE)
_SEVERAL = re.compile(r"([\w-]+(?:(?:,| and) +[\w-]+)+)\s+because\b", re.IGNORECASE)


class Allowance(NamedTuple):
    """One comment: the rule that is allowed in its file, why, and its line, from 1.

    `reason` is empty where the comment gives none; then it allows nothing.
    """

    rule: str
    reason: str
    line: int


def allowances_of(path: str) -> tuple[Allowance, ...]:
    """Return what the comments of a revision file allow: nothing where it can't be read as text.

    Raises HistoryError for a comment whose word is unknown.
    """
    return tuple(map(_allowance, _comments(path, _ALLOW)))


def irreversible_in(path: str) -> Allowance | None:
    """Return the comment with which a revision file says that it can't be undone, if it has one.

    Its rule is `irreversible`.

    Raises HistoryError for a comment whose word is unknown.
    """
    for line, said in _comments(path, _IRREVERSIBLE):
        reason = _BECAUSE.match(said)
        return Allowance(_IRREVERSIBLE, reason[1].strip() if reason else "", line)
    return None


def names_of(rule: str) -> tuple[str, ...]:
    """Return the names of a danger: that of the trace's rule, or the linter's, and the others."""
    ours = [own for own, linters in _SAME.items() if rule in linters]
    return (rule, *_SAME.get(rule, ()), *ours)


def judged(
    verdicts: Iterable[Verdict], allowances: Iterable[Allowance], path: str | None = None
) -> tuple[Verdict, ...]:
    """Return the `verdicts` on one file, with the reasons of what its comments allow.

    A comment without a reason, or of a misspelt rule, is a verdict of its own. `path` is that of
    the file.
    """
    allowances = list(allowances)
    reasons = {
        name: each.reason for each in allowances if each.reason for name in names_of(each.rule)
    }
    found = [
        each._replace(allowed=reasons[each.rule]) if each.rule in reasons else each
        for each in verdicts
    ]
    left = {each.rule for each in found if each.is_refused}
    told = [_told(each, left, path) for each in allowances]
    return (*found, *filter(None, told))


def _told(given: Allowance, left: Iterable[str], path: str | None) -> Verdict | None:
    """Return what is wrong with a comment, beside the rules that are `left`."""
    if not given.reason:
        why = " without a reason" if given.rule else ": it names no rule"
        if " " in given.rule:
            why = ": each rule needs a comment of its own"
        message = (
            f"The comment allows {given.rule or 'nothing'}{why}. Write it as"
            " `# migrate: allow RULE because REASON`."
        )
        return Verdict(BAD_COMMENT, "error", message, path=path, line=given.line)
    if meant := nearest(given.rule, left, _ALIKE):
        message = f"The comment allows {given.rule}. What was found is {meant}."
        return Verdict(UNKNOWN_RULE, "note", message, path=path, line=given.line)
    return None


def _allowance(comment: tuple[int, str]) -> Allowance:
    line, said = comment
    whole = _RULE_AND_REASON.match(said)
    several = _SEVERAL.match(said)
    rule = whole[1] if whole else several[1] if several else said.partition(" ")[0]
    return Allowance(rule.lower(), whole[2].strip() if whole else "", line)


def _comments(path: str, word: str) -> list[tuple[int, str]]:
    """Return the line of each comment that begins with `word`, and what follows it."""
    found = []
    for line, given, said in _read(_text(path)):
        if given.lower() not in (_ALLOW, _IRREVERSIBLE):
            raise _unknown(path, line, given)
        if given.lower() == word:
            found.append((line, said))
    return found


def _unknown(path: str, line: int, given: str) -> HistoryError:
    near = nearest(given.lower(), (_ALLOW, _IRREVERSIBLE))
    told = f"# migrate: {given}".rstrip()
    return HistoryError(
        f"{path}, line {line}: `{told}` is no comment that is known."
        " So what it was to say does not hold.",
        hint=f"did you mean `# migrate: {near}`?"
        if near
        else "write `# migrate: allow RULE because REASON`, or"
        " `# migrate: irreversible because REASON`.",
        paths=[path],
        line=line,
    )


def _text(path: str) -> str:
    """Return the text of a file, empty where it can't be read."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, ValueError, SyntaxError):
        return ""


def _read(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line of each comment for this tool, its word, and the rest of it."""
    if "migrate:" not in text.lower():
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            comment = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
            if comment:
                yield token.start[0], comment[1], comment[2]
    except (tokenize.TokenError, SyntaxError):
        return  # the file itself is broken, which others tell of
