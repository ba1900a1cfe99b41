"""Run the migrations: every decision stands in the .ini file and in the migrator."""

from myapp.migrator.environment import run_migrations

run_migrations()
