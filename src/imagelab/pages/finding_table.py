"""Show findings as a table, on a page and in a terminal of any width."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from imagelab.finding import STATUSES, Finding
from imagelab.pages.table import Badge, Prose, table
from imagelab.pages.wording import printable, words

COLUMNS = ("status", "name", "value", "expected", "meaning", "what to do", "seconds")
COLOURS = {"FAIL": "bold red", "WARN": "bold yellow", "OK": "green", "INFO": "blue"}
LIMIT = 160  # letters of a value in the terminal; the page shows more, the JSON all


def finding_table(findings: Sequence[Finding]) -> str:
    """Findings as HTML, in their order."""
    timed = any(finding.seconds for finding in findings)
    rows = [
        (
            Badge(finding.status),
            finding.name,
            finding.value if isinstance(finding.value, int | float) else words(finding.value),
            Prose(finding.expected),
            Prose(finding.why),
            Prose(finding.fix),
            *([finding.seconds or None] if timed else []),
        )
        for finding in findings
    ]
    return table(COLUMNS if timed else COLUMNS[:-1], rows, filters=("status",))


def terminal_table(title: str, findings: Sequence[Finding]) -> RenderableType:
    """The findings for rich, a row each: value, and below it the reason and the remedy."""
    shown = Table(title=Text(printable(title), "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    shown.show_edge, shown.pad_edge = False, False
    shown.add_column("status", no_wrap=True)
    shown.add_column("check", max_width=26, overflow="fold")
    shown.add_column("found", overflow="fold")
    for finding in findings:
        style = COLOURS[finding.status]
        shown.add_row(Text(finding.status, style), Text(printable(finding.name)), _found(finding))
    shown.caption = Text(counts(findings), "bold")
    shown.caption_justify = "left"
    return shown


def counts(findings: Sequence[Finding]) -> str:
    """The number of findings of each status, in words.

    >>> counts([Finding(name="a", status="OK", value=1, expected="", why="", fix="")] * 2)
    '2 OK'
    """
    numbers = {status: sum(finding.status == status for finding in findings) for status in STATUSES}
    return ", ".join(f"{number} {status}" for status, number in numbers.items() if number)


def _found(finding: Finding) -> RenderableType:
    text = Text(printable(words(finding.value, LIMIT)))
    if finding.expected:
        text.append(f"  (expected: {printable(finding.expected)})", "dim")
    if finding.why:
        text.append(f"\n{printable(finding.why)}")
    if finding.fix:
        text.append(f"\n→ {printable(finding.fix)}", COLOURS[finding.status])
    return text
