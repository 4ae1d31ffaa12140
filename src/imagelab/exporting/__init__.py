"""Hold the export formats, one per file."""
