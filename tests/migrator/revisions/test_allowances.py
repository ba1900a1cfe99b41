"""The comments by which a revision file allows what is found in it."""

from pathlib import Path

import pytest

from myapp.migrator.base.errors import HistoryError
from myapp.migrator.base.verdicts import Verdict
from myapp.migrator.revisions.allowances import (
    Allowance,
    allowances_of,
    irreversible_in,
    judged,
)

FOUND = Verdict("ban-drop-column", "error", "Dropping a column may break existing clients.")


def allowances_in(folder: Path, text: str) -> tuple[Allowance, ...]:
    path = folder / "a.py"
    path.write_text(text)
    return allowances_of(str(path))


def test_a_comment_allows_a_rule_for_a_reason(tmp_path: Path) -> None:
    text = "def upgrade():\n    x = 1  # Migrate: allow BAN-drop-column because nobody reads it.\n"

    assert allowances_in(tmp_path, text) == (Allowance("ban-drop-column", "nobody reads it.", 2),)


@pytest.mark.parametrize(
    "text",
    [
        "s = '# migrate: allow ban-drop-column because it is text'",
        "# migrate: irreversible because it drops",
        "# migrations allow this",
        "def broken(:  # migrate\n  ''' migrate: x",
    ],
)
def test_other_text_allows_nothing(tmp_path: Path, text: str) -> None:
    assert allowances_in(tmp_path, text) == ()


EITHER = (
    "write `# migrate: allow RULE because REASON`, or `# migrate: irreversible because REASON`."
)


@pytest.mark.parametrize(
    ("comment", "told", "hint"),
    [
        ("ireversible because x", "ireversible", "did you mean `# migrate: irreversible`?"),
        ("Allows drop-table because x", "Allows", "did you mean `# migrate: allow`?"),
        ("see the ticket", "see", EITHER),
        ("", "", EITHER),
    ],
)
def test_a_comment_of_an_unknown_word_is_an_error_for_whoever_reads_the_file(
    tmp_path: Path, comment: str, told: str, hint: str
) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"x = 1\n# migrate: {comment}\n")

    for read in (allowances_of, irreversible_in):
        with pytest.raises(HistoryError) as raised:
            read(str(path))

        assert raised.value.message == (
            f"{path}, line 2: `# migrate: {told}".rstrip()
            + "` is no comment that is known. So what it was to say does not hold."
        )
        assert raised.value.hint == hint
        assert raised.value.details == {"paths": [str(path)], "line": 2}


def test_a_file_that_is_not_there_allows_nothing(tmp_path: Path) -> None:
    assert allowances_of(str(tmp_path / "gone.py")) == ()


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig"])
def test_a_file_is_read_in_its_own_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.py"
    text = "# coding: latin-1\n" if encoding == "latin-1" else ""
    text += "# migrate: allow ban-drop-column because of Zoë\n"
    path.write_bytes(text.encode(encoding))

    assert [each.reason for each in allowances_of(str(path))] == ["of Zoë"]


def test_a_rule_that_is_misspelt_allows_nothing_and_is_told() -> None:
    allowance = Allowance("ban-drop-colum", "it is empty", 3)

    assert judged([FOUND], [allowance], "a.py") == (
        FOUND,
        Verdict(
            "allow-unknown-rule",
            "note",
            "The comment allows ban-drop-colum. What was found is ban-drop-column.",
            path="a.py",
            line=3,
        ),
    )


def test_a_rule_that_is_not_found_may_be_allowed() -> None:
    assert judged([FOUND], [Allowance("drop-table", "it is empty", 3)]) == (FOUND,)


def test_what_is_allowed_has_its_reason_and_is_not_refused() -> None:
    other = FOUND._replace(rule="renaming-table")

    allowed, left = judged([FOUND, other], [Allowance("ban-drop-column", "it is empty", 3)])

    assert (allowed.allowed, allowed.is_refused) == ("it is empty", False)
    assert (left, left.is_refused) == (other, True)


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("drop-column", "ban-drop-column"),
        ("ban-drop-column", "drop-column"),
        ("check-validated-at-once", "constraint-missing-not-valid"),
    ],
)
def test_a_comment_allows_a_danger_by_the_linters_name_and_the_traces(
    comment: str, found: str
) -> None:
    (verdict,) = judged([FOUND._replace(rule=found)], [Allowance(comment, "it is empty", 3)])

    assert verdict.allowed == "it is empty"


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("allow ban-drop-column", "The comment allows ban-drop-column without a reason."),
        ("allow ban-drop-column because", "The comment allows ban-drop-column without a reason."),
        ("allow", "The comment allows nothing: it names no rule."),
        (
            "allow ban-drop-column, renaming-table because of two",
            "The comment allows ban-drop-column, renaming-table: each rule needs a comment of its"
            " own.",
        ),
    ],
)
def test_a_comment_without_a_reason_allows_nothing_and_is_found(
    tmp_path: Path, comment: str, message: str
) -> None:
    allowances = allowances_in(tmp_path, f"\n# migrate: {comment}\n")

    assert judged([FOUND], allowances, "a.py") == (
        FOUND,
        Verdict(
            "allow-without-reason",
            "error",
            f"{message} Write it as `# migrate: allow RULE because REASON`.",
            path="a.py",
            line=2,
        ),
    )
