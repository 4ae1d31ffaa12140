"""Behind `imagelab inspect`: one question about the data a file."""
