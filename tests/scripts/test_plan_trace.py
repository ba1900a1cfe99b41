"""`plan --trace`: as text, as a document, and its exit status."""

import json
from pathlib import Path

import pytest
from support.command import invoke
from support.database import change
from support.history import MakeApp, Revision

MADE = 'op.create_table("users", sa.Column("id", sa.Integer()), sa.Column("name", sa.Text()))'
NOT_NULL = 'op.alter_column("users", "name", nullable=False)\nop.execute("SELECT 1")'
ROWS = "INSERT INTO users SELECT n, 'a name' FROM generate_series(1, {}) n"


@pytest.fixture
def ini(make_app: MakeApp, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application at its first revision, in the working directory; one more is pending."""
    revisions = [
        Revision("aaa111", upgrade=MADE),
        Revision("bbb222", "aaa111", upgrade=NOT_NULL, message="need names"),
    ]
    app = make_app(postgresql_url, revisions)
    monkeypatch.chdir(app.parent)
    assert invoke(app, "upgrade", "aaa111").returncode == 0
    return app


def test_each_statement_is_told_with_what_it_locks(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(20_000), "ANALYZE users")

    lines = invoke(ini, "plan", "--trace").stdout.splitlines()

    at = lines.index("  dangerous (line 13): ALTER TABLE users ALTER COLUMN name SET NOT NULL")
    assert lines[at + 1] == "      users: ACCESS EXCLUSIVE, scanned"
    assert lines[at + 2].startswith(
        "      SELECT and INSERT/UPDATE/DELETE wait until the commit, 1 statement later ("
    )
    assert lines[at + 3] == "  1 statement touches nothing that was there before."
    found = next(n for n, line in enumerate(lines) if "set-not-null-scans" in line)
    assert lines[found] == (
        "  error set-not-null-scans (line 13): users is read whole while SELECT and"
        " INSERT/UPDATE/DELETE wait."
    )
    assert lines[found + 1].strip().startswith("op.create_check_constraint(")


def test_strict_counts_what_the_trace_finds(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(20_000), "ANALYZE users")

    done = invoke(ini, "plan", "--trace", "--strict", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 10
    first = document["revisions"][0]["traced"][0]
    assert (first["judgement"], first["following"]) == ("dangerous", 1)
    assert first["touched"] == [
        {
            "name": "users",
            "table": "users",
            "is_index": False,
            "lock": "ACCESS EXCLUSIVE",
            "is_rewritten": False,
            "is_scanned": True,
        }
    ]


def test_a_small_table_is_locked_for_short(ini: Path, postgresql_url: str) -> None:
    change(postgresql_url, ROWS.format(10), "ANALYZE users")

    done = invoke(ini, "plan", "--trace")

    assert "  short (line 13): ALTER TABLE users" in done.stdout
    assert "error set-not-null-scans" not in done.stdout


def test_what_the_linter_fears_and_the_trace_does_not_see_is_a_warning(
    ini: Path, postgresql_url: str
) -> None:
    change(postgresql_url, "ALTER TABLE users ADD CHECK (name IS NOT NULL)")
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    checked = "    op.create_check_constraint('c', 'users', 'name IS NOT NULL')\n"
    made = ini.parent / "migrations" / "versions" / "aaa111_.py"
    made.write_text(made.read_text().replace("def downgrade", f"{checked}\n\ndef downgrade", 1))

    done = invoke(ini, "plan", "--trace", "--strict")
    path.write_text(path.read_text().replace("op.alter_column", "op.drop_column('users', 'id')#"))
    dropped = invoke(ini, "plan", "--trace", "--strict")

    assert (done.returncode, dropped.returncode) == (0, 10)
    assert "  warning adding-not-nullable-field (line 13): " in done.stdout
    assert "The trace saw no table read whole or written anew.\n" in done.stdout


def test_a_revision_that_fails_there_leaves_the_database(ini: Path, postgresql_url: str) -> None:
    path = ini.parent / "migrations" / "versions" / "bbb222_.py"
    path.write_text(path.read_text().replace("SELECT 1", "SELECT * FROM nowhere"))

    done = invoke(ini, "plan", "--trace")

    assert done.returncode == 1
    assert "short" in done.stdout or "dangerous" in done.stdout
    assert (
        "The trace ends here: bbb222 (need names) failed in the scratch database; the live one is"
        " untouched."
    ) in done.stdout
    assert "aaa111" in invoke(ini, "current").stdout


def test_the_way_down_may_drop_what_came_with_the_code(ini: Path) -> None:
    path = ini.parent / "migrations" / "versions" / "aaa111_.py"
    path.write_text(
        path.read_text().replace(
            "downgrade():\n    pass", 'downgrade():\n    op.drop_table("users")'
        )
    )

    done = invoke(ini, "plan", "--trace", "--down", "base")

    assert "  short (line 17): DROP TABLE users" in done.stdout
    assert "drop-table" not in done.stdout


def test_a_trace_and_a_start_exclude_each_other(ini: Path) -> None:
    done = invoke(ini, "plan", "--trace", "--from", "aaa111")

    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "Error: `--trace` begins where the database stands, and `--from` asks no database.",
            "Hint:  leave out one of the two.",
        ],
    )
