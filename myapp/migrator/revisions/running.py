"""Run one revision file: the last way to find out what it says."""

import os
import re
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from .facts import Doubt, RevisionFile, facts, id_in_file_name


def run_file(path: str) -> ModuleType:
    """Return the file as a module, as Alembic loads it; raises whatever the file raises."""
    name = re.sub(r"\W", "_", os.path.basename(path))
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Python can't import a file with the name {path}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cleared_up(doubt: Doubt) -> tuple[RevisionFile | Doubt, ModuleType | None]:
    """Run a file in doubt; return its facts, or what is still in doubt, and the module."""
    try:
        module = run_file(doubt.path)
    # A file may raise anything, and end the process by `sys.exit()`.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return replace(doubt, error=error), None
    found: RevisionFile | Doubt = replace(doubt, reason="it has no `down_revision`")
    if hasattr(module, "down_revision"):
        found = facts(
            doubt.path,
            getattr(module, "revision", id_in_file_name(doubt.path)),
            module.down_revision,
            getattr(module, "depends_on", None),
            getattr(module, "branch_labels", None),
            module.__doc__ or "",
        )
    return (replace(found, module=module) if isinstance(found, Doubt) else found), module
