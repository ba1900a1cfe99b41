"""The names under which others import this package."""

_ENGINE = __package__.rpartition(".")[0]
#: The module whose `run_migrations` an `env.py` calls.
ENVIRONMENT = f"{_ENGINE}.environment"
