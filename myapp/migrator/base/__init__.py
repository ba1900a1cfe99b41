"""What every room builds on: errors, results, signals, and small helpers without a library."""
