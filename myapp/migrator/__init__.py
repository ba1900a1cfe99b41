"""The migration engine: ini -> settings -> context -> environment -> result.

It knows no application, prints nothing, returns frozen dataclasses and raises one family of
errors. docs/architecture.md walks through its rooms. From other code, import `config` and
`environment` alone.
"""
