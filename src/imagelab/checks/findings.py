"""Make the finding that a check returns."""

from typing import Any

from imagelab.finding import Finding, Status


def found(status: Status, value: Any, *, expected: str, why: str, fix: str = "") -> Finding:
    """Make the finding of a check; `run.one` fills in its name."""
    return Finding(name="", status=status, value=value, expected=expected, why=why, fix=fix)


def fact(value: Any, why: str) -> Finding:
    """Make a finding without a verdict, such as why a check does not apply."""
    return found("INFO", value, expected="", why=why)


NAMED = 4  # names in a sentence
NO_CLASSES = "the task predicts no classes"
