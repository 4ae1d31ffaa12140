"""Behind `imagelab export`: one format a file."""
