"""From an .ini file to settings; no database and no Alembic here."""
