"""What is too long to be read is cut, and says so."""

import json
import logging
from pathlib import Path

import pytest
from support.command import invoke
from support.history import MakeApp, Revision

from myapp.migrator.base.shortening import readable, shortened
from myapp.migrator.settings.redaction import Redactor
from myapp.scripts.logs import redacted_logs

SECRET = "s3cr3t-of-some-length"  # noqa: S105 - a made-up one

#: One statement of some 500,000 characters, which fails at its last row.
BULK = """
table = sa.table("t", sa.column("id"), sa.column("name"))
names = ["x" * 45] * 9000 + [None]
rows = enumerate(names)
values = ", ".join(f"({i}, {repr(name) if name else 'NULL'})" for i, name in rows)
"""
CREATE = "op.execute('CREATE TABLE t (id INTEGER, name VARCHAR(50) NOT NULL)')\n"
ONE_STATEMENT = 'op.execute(f"INSERT INTO t VALUES {values}")'
MANY_SETS = (
    "op.bulk_insert(sa.table('t', sa.column('id'), sa.column('name')),"
    " [dict(id=i, name=name) for i, name in enumerate(names)])"
)


def test_a_text_that_is_cut_says_how_much_is_missing() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("a" * 3 + "b" * 1234, 3) == "aaa... (1,234 more characters)"


def test_long_lines_and_very_many_lines_are_cut() -> None:
    assert readable("a\n" + "b" * 2001) == "a\n" + "b" * 2000 + "... (1 more characters)"
    many = readable("\n".join(map(str, range(5000)))).split("\n")
    assert (many[0], many[500], many[-1]) == ("0", "... (4,000 more lines)", "4999")


@pytest.mark.parametrize(
    ("body", "is_outside"), [(ONE_STATEMENT, False), (ONE_STATEMENT, True), (MANY_SETS, False)]
)
@pytest.mark.parametrize("options", [["--traceback", "-v"], ["--json"]])
def test_a_bulk_insert_that_fails_is_told_in_few_words(
    body: str, is_outside: bool, options: list[str], make_app: MakeApp, database_url: str
) -> None:
    code = BULK + CREATE + body
    if is_outside:
        lines = "".join(f"    {line}\n" for line in (CREATE + body).splitlines())
        code = f"{BULK}with op.get_context().autocommit_block():\n{lines}"
    ini = make_app(database_url, [Revision("a1", upgrade=code)])
    result = invoke(*options, ini, "upgrade")
    assert result.returncode == (9 if is_outside else 1), result.stderr[:2000]
    assert len(result.stdout + result.stderr) < 40_000
    if body == ONE_STATEMENT and options == ["--json"] and is_outside:
        error = json.loads(result.stdout)["error"]
        assert error["failed"].startswith("INSERT INTO t VALUES (0, 'xxx")
        assert error["failed"].endswith(" more characters)")


def test_a_secret_at_the_cut_is_taken_out_first(make_app: MakeApp, tmp_path: Path) -> None:
    statement = "SELECT '" + "x" * 1980 + SECRET + "y" * 100 + "' FROM nowhere"
    ini = make_app(
        f"sqlite:///{tmp_path / 'x.sqlite'}?password={SECRET}",
        [Revision("a1", upgrade=f"op.execute({statement!r})")],
    )
    result = invoke("--traceback", "-v", ini, "upgrade")
    assert "s3cr" not in result.stdout + result.stderr


def test_an_error_in_the_log_is_cut_and_a_statement_that_is_asked_for_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with redacted_logs(Redactor()):
        logging.getLogger("a").warning("x" * 5000)
        logging.getLogger("a").info("x" * 5000)
        try:
            raise ValueError("x" * 5000)
        except ValueError:
            logging.getLogger("a").exception("it failed")
    assert [len(record.getMessage()) for record in caplog.records] == [2027, 5000, 9]
    assert "(3,012 more characters)" in str(caplog.records[2].exc_text)
