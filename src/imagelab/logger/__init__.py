"""Loggers: one file per destination of metrics, named like the choice in `logger=[...]`."""
