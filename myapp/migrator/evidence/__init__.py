"""What a revision has left behind, as the database itself knows it."""
