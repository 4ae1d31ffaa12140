"""What a command has found: a list of findings, the one source of its JSON, its table and its page."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Status = Literal["FAIL", "WARN", "OK", "INFO"]
STATUSES: tuple[Status, ...] = ("FAIL", "WARN", "OK", "INFO")  # the most urgent first


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    Args:
        name: What was looked at, in a few words; the same each time.
        status: FAIL: something is wrong; WARN: look at it; OK: as expected; INFO: a fact without a verdict.
        value: What was found: a number, words, or plain data.
        expected: What it should be, in words, with its threshold; empty for a mere fact.
        why: What the value means here, one sentence.
        fix: What to do, where something is to be done: a sentence or a command to paste.
        seconds: How long it took, on the wall clock.
    """

    name: str
    status: Status
    value: Any
    expected: str
    why: str
    fix: str
    seconds: float = field(default=0.0)


@contextmanager
def timed() -> Iterator[list[float]]:
    """The seconds that a block takes, in a list of one once it has ended."""
    spent: list[float] = []
    start = time.perf_counter()
    try:
        yield spent
    finally:
        spent.append(time.perf_counter() - start)


def taking(finding: Finding, seconds: float) -> Finding:
    """The same finding, with how long it took."""
    return replace(finding, seconds=round(seconds, 3))


def worst(findings: Sequence[Finding]) -> Status:
    """The most urgent status among findings.

    >>> fine = Finding(name="a", status="OK", value=1, expected="1", why="", fix="")
    >>> worst([fine, replace(fine, status="WARN")])
    'WARN'
    """
    found = [finding.status for finding in findings]
    for status in STATUSES:
        if status in found:
            return status
    return "INFO"


def plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as plain data, to write as JSON."""
    return [asdict(finding) for finding in findings]


def read(path: Path) -> list[Finding]:
    """The findings of a JSON file that a command wrote."""
    return [Finding(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
