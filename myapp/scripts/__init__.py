"""The command line: who asks, and how the answer is shown."""

from .imports import postpone, postpone_no_longer

postpone()
import dataclasses  # noqa: E402, F401 - the first to import it decides what it imports

import click  # noqa: E402, F401 - as dataclasses

postpone_no_longer()
