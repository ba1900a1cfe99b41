"""What the trace sees is what PostgreSQL's documentation says, and what docs/locks.md shows."""

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


def test_each_operation_is_as_documented(operations: Any, postgresql_url: str) -> None:
    matrix = importlib.import_module("lock_matrix")
    engine = create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg2://"))

    with engine.connect() as connection:
        seen = matrix.observed(connection, operations)
    engine.dispose()

    assert seen == {each.sql: each.expected for each in operations}


def test_the_page_shows_all_operations(operations: Any) -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.*?) \|", (ROOT / "docs" / "locks.md").read_text(), re.M)

    assert rows == [(each.sql, each.expected or "nothing") for each in operations]
    assert len(rows) >= 60
