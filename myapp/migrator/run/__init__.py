"""One run through revisions: its plan, its retries, its record, and its errors."""
