"""Where metrics go: one file a place, the same word as in `logger=[...]`."""
