"""The linter: what it finds, statement by statement, and what is left out."""

import subprocess
from pathlib import Path

import pytest

from myapp.migrator.base.sent import Sent
from myapp.migrator.base.verdicts import Verdict
from myapp.migrator.database import linter
from myapp.migrator.database.linter import installed_linter, lint
from myapp.migrator.revisions import allowances

SQUAWK = str(installed_linter())


def found(*sql: str, **options: str) -> list[tuple[str, str]]:
    statements = [Sent(each) for each in sql]
    return [(each.level, each.rule) for each in lint(SQUAWK, statements, **options)]  # type: ignore[arg-type]


def test_squawk_is_found_beside_python_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert Path(str(installed_linter())).name == "squawk"


def test_a_finding_names_its_statement_and_the_line_that_sends_it() -> None:
    statements = [
        Sent("CREATE TABLE a (\n  id BIGINT\n)", 10),
        Sent("CREATE INDEX i ON users (email) -- all of them", 12),
    ]

    assert lint(SQUAWK, statements) == (
        Verdict(
            "require-concurrent-index-creation",
            "error",
            "During normal index creation, table updates are blocked, but reads are still allowed."
            " Use `concurrently` to avoid blocking writes.",
            line=12,
            sql="CREATE INDEX i ON users (email) -- all of them",
            remedy="# Alone in its revision: it is not rolled back with other changes.\n"
            "from myapp.migrator.indexes import create_index_concurrently\n\n"
            "create_index_concurrently('i', 'users', ['email'])",
        ),
    )


def test_an_index_of_a_table_that_the_revision_makes_is_harmless() -> None:
    assert found("CREATE TABLE a (id BIGINT)", "CREATE INDEX i ON a (id)") == []


def test_what_runs_outside_the_transaction_is_judged_so() -> None:
    index = "CREATE INDEX CONCURRENTLY i ON users (email)"

    assert lint(SQUAWK, [Sent("SELECT 1"), Sent(index, is_transactional=False)]) == ()
    assert found(index) == [("error", "ban-concurrent-index-creation-in-transaction")]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (id INTEGER, c CHAR(3), n VARCHAR(40), t TIMESTAMP)",
        "ALTER TABLE a ADD COLUMN n VARCHAR(40)",
        "CREATE TABLE b (id SERIAL NOT NULL)",
    ],
)
def test_a_matter_of_taste_is_left_out(sql: str) -> None:
    assert found(sql) == []


def test_a_downgrade_may_drop_what_the_upgrade_has_made() -> None:
    drop = "ALTER TABLE a DROP COLUMN b"

    assert found(drop) == [("error", "ban-drop-column")]
    assert found(drop, direction="downgrade") == []


def test_what_breaks_nothing_by_itself_is_a_warning() -> None:
    assert found("ALTER TYPE mood ADD VALUE 'so'") == [("warning", "require-enum-value-ordering")]


def test_the_servers_version_counts() -> None:
    sql = "ALTER TABLE a ADD COLUMN b BIGINT DEFAULT 1"

    assert found(sql, pg_version="10.1") == [("error", "adding-field-with-default")]
    assert found(sql, pg_version="15.4") == []


@pytest.mark.parametrize(
    "before",
    [
        "SELECT 'é日本😀\nit''s'",
        "SELECT 1,\r\n2",
        "DO $$ BEGIN\n; -- don't\nEND $$",
        "SELECT '\udce9'",
    ],
)
def test_any_text_before_a_statement_leaves_its_line_right(before: str) -> None:
    (verdict,) = lint(SQUAWK, [Sent(before, 3), Sent("ALTER TABLE a DROP COLUMN b", 9)])

    assert (verdict.rule, verdict.line) == ("ban-drop-column", 9)


@pytest.mark.parametrize("comment", ["-- squawk-ignore ban-drop-column", "-- squawk-ignore-file"])
def test_a_comment_of_squawk_gives_no_reason_and_allows_nothing(comment: str) -> None:
    assert found(f"{comment}\nALTER TABLE a DROP COLUMN b") == [("error", "ban-drop-column")]


def test_one_safe_way_for_two_findings_is_told_once() -> None:
    first, second = lint(SQUAWK, [Sent("ALTER TABLE a ADD PRIMARY KEY (id)")])

    assert (bool(first.remedy), second.remedy) == (True, "")


def test_squawk_knows_each_rule_that_is_named_here() -> None:
    same = {name for names in allowances._SAME.values() for name in names}
    known = ",".join(same | linter._ERRORS | linter._LEFT_OUT | linter._NOT_DOWNWARDS)

    done = subprocess.run([SQUAWK, "--exclude", known], input="", capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_found_in_nothing() -> None:
    assert lint("/no/such/program", []) == ()


def test_what_squawk_cannot_read_is_noted_once() -> None:
    note = "Squawk can't read this statement, and has not judged it."

    assert lint(SQUAWK, [Sent("SELEC one two", 4)]) == (
        Verdict("linter-failed", "note", note, line=4, sql="SELEC one two"),
    )


def test_what_squawk_cannot_read_hides_nothing_else() -> None:
    sql = ["SELEC one", "ALTER TABLE a DROP COLUMN b", "DROP NOTHING"]

    assert found(*sql) == [
        ("note", "linter-failed"),
        ("note", "linter-failed"),
        ("error", "ban-drop-column"),
    ]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "it ended with status 3"),
        ("echo 'no such rule: x.' >&2; exit 2", "no such rule: x"),
        (None, "{program} can't be run: No such file or directory"),
    ],
)
def test_a_linter_that_fails_is_noted(tmp_path: Path, script: str | None, why: str) -> None:
    program = tmp_path / "squawk"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    assert lint(str(program), [Sent("SELECT 1")]) == (
        Verdict("linter-failed", "note", f"Squawk has failed: {why.format(program=program)}."),
    )
