"""The migration engine: ini -> settings -> Config -> environment -> result.

It knows no application, prints nothing, returns frozen dataclasses and raises one family of
errors. For use from other code, start at `config.alembic_config`.
"""
