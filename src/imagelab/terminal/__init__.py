"""What the terminal shows: screen, progress bar, tables, refusals."""
