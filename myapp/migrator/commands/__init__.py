"""The commands. Each module uses the rooms below."""
