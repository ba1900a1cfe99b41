"""What this command compares in addition to Alembic: plugins for its autogenerate."""

import sys

from alembic.runtime.plugins import Plugin

from . import check_constraints, enums, operation_order, server_defaults

_CHECKS = "alembic.ext.checkconstraint_byname"
_ALEMBICS = ("alembic.autogenerate.*", _CHECKS)
_OURS = {
    "migrator.checks": check_constraints,
    "migrator.defaults": server_defaults,
    "migrator.enums": enums,
    "migrator.order": operation_order,
}
# Alembic keeps its plugins for the process, as Python keeps this module.
for _name, _module in _OURS.items():
    Plugin.setup_plugin_from_module(_module, _name)


def plugins() -> list[str]:
    """Return the names of what compares, for `autogenerate_plugins` of Alembic."""
    names = [*_ALEMBICS, *_OURS]
    # An env.py that imports this package wants its way of writing enums.
    if "alembic_postgresql_enum" in sys.modules:
        names.remove("migrator.enums")
    return names
