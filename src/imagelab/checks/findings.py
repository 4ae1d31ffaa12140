"""Make the finding that a check returns."""

import math
from typing import Any

from imagelab.checks.subject import Subject
from imagelab.finding import Finding, Status


def found(status: Status, value: Any, *, expected: str, why: str, fix: str = "") -> Finding:
    """Make the finding of a check; `run.one` fills in its name."""
    return Finding(name="", status=status, value=value, expected=expected, why=why, fix=fix)


def fact(value: Any, why: str) -> Finding:
    """Make a finding without a verdict, such as why a check does not apply."""
    return found("INFO", value, expected="", why=why)


def left_out(subject: Subject, steps: int, images: int, runs: int = 1) -> Finding:
    """Make the finding of a check that needs more than its budget: `runs` trainings of so many steps."""
    need = math.ceil(runs * steps * images * subject.seconds_per_image)
    return fact(LEFT_OUT, f"{steps} steps of {images} images take more work than allowed; set seconds={need}")


LEFT_OUT = "left out"
NAMED = 4  # names in a sentence
DETECTOR = "a detector returns losses in training and boxes in evaluation"  # room: detection
NO_CLASSES = "the task predicts no classes"
