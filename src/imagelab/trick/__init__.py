"""Tricks: one idea a file, named like its choice in `configs/trick/`."""
