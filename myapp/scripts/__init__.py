"""The command line: who asks, and how the answer is shown."""
