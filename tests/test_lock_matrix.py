"""What the trace sees is what is expected of it, and what docs/locks.md shows."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

ROOT = Path(__file__).parent.parent


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("lock_operations").OPERATIONS


def test_each_operation_is_seen_as_expected(operations: Any, postgresql_url: str) -> None:
    matrix = importlib.import_module("lock_matrix")
    engine = create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg2://"))

    with engine.connect() as connection:
        seen = matrix.observed(connection, operations)
        version = connection.dialect.server_version_info
    engine.dispose()

    known = [each for each in operations if version and each.since <= version[0]]
    assert seen == {each.sql: each.expected for each in known}


def test_the_page_shows_all_operations(operations: Any) -> None:
    page = (ROOT / "docs" / "locks.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| (.*?) \| (yes|not on|otherwise)", page, re.M)

    assert [row[:2] for row in rows] == [(o.sql, o.expected or "nothing") for o in operations]
    stated = [kind for *_, kind in rows].count("yes")
    assert stated >= 60
    assert f"{len(rows)} operations. PostgreSQL's documentation states" in page
    assert f"the scan of {stated}:" in page
    agree = re.findall(r"^(\d+) of (\d+) agree on PostgreSQL \d+", page, re.M)
    assert agree
    assert all(right == known for right, known in agree)


def test_what_is_silent_or_otherwise_is_named_as_it_is_expected(operations: Any) -> None:
    for each in operations:
        assert each.sources
        for part in filter(None, each.silent.split("; ")):
            table, _, words = part.rpartition(": ")
            assert each.expected == "" or (table in each.expected and words in each.expected)
