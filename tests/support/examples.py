"""How many examples hypothesis tries."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

#: `MYAPP_TEST_EXAMPLES=50 pytest tests/migrator/test_graph.py` tries 50 times as many.
FACTOR = int(os.environ.get("MYAPP_TEST_EXAMPLES", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """Let a test try `count` examples, however long each takes."""
    return settings(
        max_examples=count * FACTOR,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
