"""The same errors in Alembic's words, for the tests that ask for these words."""

import re

#: This command's message, of the command that is named (all, if none is), and Alembic's. Groups of
#: the former may stand in the latter.
_WORDS = [
    ("current", r"revisions? pending", "Database is not on all head revisions"),
    ("revision", r"revisions? pending", "Target database is not up to date."),
    (
        "revision",
        r"\d+ heads: .* `revision` can't choose one",
        "Multiple heads are present; please specify the head revision on which the new revision"
        " should be based, or perform a merge.",
    ),
    ("", r"There is no revision `(.+?)`", r"Can't locate revision identified by '\1'"),
    (
        "upgrade",
        r"\d+ heads: .* `upgrade \+1` can't choose one",
        "Ambiguous upgrade from multiple current revisions",
    ),
    ("", r"`(.*[+-](\d+))` asks for", r"Relative revision \1 didn't produce \2 migrations"),
    (
        "",
        r"`\w+` can't go \w+: `([+-](\d+))`",
        r"Relative revision \1 didn't produce \2 migrations",
    ),
    (
        "downgrade",
        r"`(.+?)` is not applied, so there is no going back to it",
        r"Destination \1 is not a valid downgrade target from current head(s)",
    ),
    (
        "",
        r"(\w+) \(.*\) is no head: other revisions follow it",
        r"Revision \1 is not a head revision; please specify --splice to create a new branch from"
        r" this revision",
    ),
    ("edit", r"`current` names no revision", "No current revisions"),
    (
        "edit",
        r"`(.+?)` names no revision",
        r"No revision files indicated by symbol '\1'",
    ),
    (
        "revision",
        r"`--autogenerate` compares with a database, and `--sql` uses none",
        "Using --sql with --autogenerate does not make any sense",
    ),
    (
        "revision",
        r"`revision --sql` has nothing to write",
        "Using --sql with the revision command when revision_environment is not configured does"
        " not make any sense",
    ),
    (
        "stamp",
        r"`--purge` needs a database, and `--sql` uses none",
        "Can't use --purge with --sql mode",
    ),
    (
        "downgrade",
        r"`downgrade --sql` needs a start",
        "downgrade with --sql requires <fromrev>:<torev>",
    ),
    ("init", r"There is no template `(.+?)`", r"No such template \1"),
    (
        "revision",
        r"The post-write hook `(.+?)` failed: `(.+?)` is not set",
        r"Key \2 is required for post write hook '\1'",
    ),
    (
        "revision",
        r"No revision was written: (Template rendering failed; see .+)",
        r"\1",
    ),
    (
        "revision",
        r"A revision's id can't have '(.+?)' in it, as `(.+?)` has",
        r"Character(s) '\1' not allowed in revision identifier '\2'",
    ),
    ("revision", r"there is no module `(.+?)`", r"Could not find module \1"),
    (
        "downgrade",
        r"The version table (\w+) holds (\w+) twice",
        r"Online migration expected to match one row when updating \2 in '\1'; 2 found",
    ),
]


def in_alembics_words(name: str, message: str) -> str:
    """Return Alembic's words for the error `message` of the command `name`, or nothing."""
    for command, pattern, words in _WORDS:
        found = re.search(pattern, message)
        if found and command in ("", name):
            return found.expand(words)
    return ""
