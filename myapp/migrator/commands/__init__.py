"""What the command can do: each module asks the rooms below."""
