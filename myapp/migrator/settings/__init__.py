"""From an .ini file to settings. There is no database and no Alembic here."""
