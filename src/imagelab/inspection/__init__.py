"""The questions behind `imagelab inspect`: one question about the data per file."""
