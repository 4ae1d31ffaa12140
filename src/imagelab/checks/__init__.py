"""The preflight behind `imagelab check`: one question a file."""
