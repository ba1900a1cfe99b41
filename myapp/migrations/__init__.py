"""What changes in the database: one file per revision under `versions/`."""
