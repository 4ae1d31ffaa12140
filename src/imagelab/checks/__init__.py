"""The checks behind `imagelab check`: one question per file."""
