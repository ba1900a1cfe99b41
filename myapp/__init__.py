"""A Pyramid application that carries its own migration command."""

__version__ = "0.1.0"
