"""Define a finding; the findings of a command are the only source of its JSON, its table and its page."""

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
        name: Short name of what was checked; always the same.
        status: FAIL: something is wrong; WARN: look at it; OK: as expected; INFO: a fact without a verdict.
        value: Value found: a number, words, or plain data.
        expected: Expected value in words, with its threshold; empty for a mere fact.
        why: Meaning of the value here, one sentence.
        fix: Remedy, if one is needed: a sentence or a command to paste.
        seconds: Wall-clock time.
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
    """Measure the seconds that a block takes; the list holds them once it has ended."""
    spent: list[float] = []
    start = time.perf_counter()
    try:
        yield spent
    finally:
        spent.append(time.perf_counter() - start)


def grade(*, fail: object = False, warn: object = False, info: object = False) -> Status:
    """The most urgent status whose reason is true; OK if none is.

    >>> grade(fail=0.2 > 0.5, warn=0.2 > 0.1), grade(fail=0.2 > 0.5)
    ('WARN', 'OK')
    """
    if fail:
        return "FAIL"
    if warn:
        return "WARN"
    return "INFO" if info else "OK"


def taking(finding: Finding, seconds: float) -> Finding:
    """The same finding with its time."""
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
    """Findings as plain data for JSON."""
    return [asdict(finding) for finding in findings]


def read(path: Path) -> list[Finding]:
    """Read the findings from a JSON file that a command wrote."""
    return [Finding(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
