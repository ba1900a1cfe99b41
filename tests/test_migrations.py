"""The project's own migrations, with the tests that pytest-alembic has for everybody's."""

from collections.abc import Iterator

import alembic.config
import pytest
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine, create_engine
from support.ini import MakeIni

from myapp.migrator.config import alembic_config as build
from myapp.migrator.url import engine_url

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]


@pytest.fixture
def alembic_config(make_ini: MakeIni, database_url: str) -> alembic.config.Config:
    return build(
        make_ini(
            {
                "sqlalchemy.url": database_url,
                "alembic.script_location": "myapp:migrations",
                "alembic.target_metadata": "myapp.models:Base.metadata",
            }
        )
    )


@pytest.fixture
def alembic_engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(engine_url(database_url))
    yield engine
    engine.dispose()
