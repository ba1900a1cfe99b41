"""The HTML of the pending page and of the toolbar's panel.

The templates have an environment of their own: neither the application's settings for templates nor
its subscribers to BeforeRender, which may need the database, have a part in it.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(**values: Any) -> tuple[str, str]:
    """Return the nonce of the page's own style and script, and the page."""
    nonce = secrets.token_urlsafe(16)
    return nonce, rendered("pending.jinja2", nonce=nonce, **values)


def policy(nonce: str) -> str:
    """Return what a browser may do for the page: nothing but its own style, script and form."""
    return (
        f"default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def rendered(template: str, **values: Any) -> str:
    """Return the HTML of a template; all values are escaped."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    return Environment(
        autoescape=True,
        loader=PackageLoader(__package__),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
