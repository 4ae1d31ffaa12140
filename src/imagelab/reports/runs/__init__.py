"""What `imagelab runs` shows: all runs below logs/ in a table, and several side by side."""
