"""How a check says what it found: one record, worded once for all statuses."""

from typing import Any

from imagelab.finding import Finding, Status


def found(status: Status, value: Any, *, expected: str, why: str, fix: str = "") -> Finding:
    """What a check returns; its name is the one that it is listed under."""
    return Finding(name="", status=status, value=value, expected=expected, why=why, fix=fix)


def fact(value: Any, why: str) -> Finding:
    """Something without a verdict, such as why a check does not apply."""
    return found("INFO", value, expected="", why=why)


NAMED = 4  # names in a sentence
NO_LABELS = "the task learns without labels"
