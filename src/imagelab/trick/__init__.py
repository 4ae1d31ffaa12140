"""Hold the tricks: one idea per file, named like its choice in `configs/trick/`."""
