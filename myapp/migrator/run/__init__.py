"""One run through revisions: planned, recorded, tried again, and told of when it fails."""
