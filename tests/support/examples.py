"""How many examples and cases are tried: some in each run of the tests, all of them on demand."""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from hypothesis import HealthCheck, settings

from .faults import IS_FULL

#: `MYAPP_TEST_EXAMPLES=50 pytest tests/migrator/revisions` tries 50 times as many.
FACTOR = int(os.environ.get("MYAPP_TEST_EXAMPLES", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """Let a test try `count` examples with MYAPP_FAULTS=full, and a quarter of them otherwise."""
    return settings(
        max_examples=(count if IS_FULL else count // 4) * FACTOR,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def pairs(first: Sequence[Any], second: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    """Return all pairs with MYAPP_FAULTS=full, and otherwise so many that each value is in one."""
    if IS_FULL:
        return product(first, second)
    count = max(len(first), len(second))
    return [(first[n % len(first)], second[n % len(second)]) for n in range(count)]


def in_turn(cases: Sequence[Any], number: int, count: int) -> list[Any]:
    """Return `count` of the `cases`, so that each has its turn as `number` grows."""
    return [cases[(number * count + each) % len(cases)] for each in range(count)]
