"""The commands that have modules of their own."""

from . import (  # noqa: F401 - their commands join the group
    drift_command,
    file_commands,
    plan_command,
    repair_command,
    scratch_command,
    status_command,
    verify_command,
)
