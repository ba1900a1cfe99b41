"""What the tests share: a PostgreSQL server, .ini files, histories, and the command itself."""

import pytest

# Its asserts then show both sides, as those of a test do.
pytest.register_assert_rewrite("support.leftovers", "support.refusal")
