"""Records as a table: on a page, and in a terminal of any width."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagelab.finding import STATUSES, Finding
from imagelab.pages.table import Badge, Prose, table
from imagelab.pages.wording import printable, words

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("status", "name", "value", "expected", "meaning", "what to do", "seconds")
COLOURS = {"FAIL": "bold red", "WARN": "bold yellow", "OK": "green", "INFO": "blue"}
LIMIT = 160  # letters of a value in the terminal; the page shows more, the JSON all


def record_table(records: Sequence[Finding]) -> str:
    """Records as HTML, in their order."""
    timed = any(record.seconds for record in records)
    rows = [
        (
            Badge(record.status),
            record.name,
            record.value if isinstance(record.value, int | float) else words(record.value),
            Prose(record.expected),
            Prose(record.why),
            Prose(record.fix),
            *([record.seconds or None] if timed else []),
        )
        for record in records
    ]
    return table(COLUMNS if timed else COLUMNS[:-1], rows, filters=("status",))


def terminal_table(title: str, records: Sequence[Finding]) -> "RenderableType":
    """Records as rich shows them: a finding a row, with what it means, and what to do, below its value."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(printable(title), "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    shown.show_edge, shown.pad_edge = False, False
    shown.add_column("status", no_wrap=True)
    shown.add_column("check", max_width=26, overflow="fold")
    shown.add_column("found", overflow="fold")
    for record in records:
        style = COLOURS[record.status]
        shown.add_row(Text(record.status, style), Text(printable(record.name)), _found(record))
    shown.caption = Text(counts(records), "bold")
    shown.caption_justify = "left"
    return shown


def counts(records: Sequence[Finding]) -> str:
    """How many records there are of each status.

    >>> counts([Finding(name="a", status="OK", value=1, expected="", why="", fix="")] * 2)
    '2 OK'
    """
    numbers = {status: sum(record.status == status for record in records) for status in STATUSES}
    return ", ".join(f"{number} {status}" for status, number in numbers.items() if number)


def _found(record: Finding) -> "RenderableType":
    from rich.text import Text

    text = Text(printable(words(record.value, LIMIT)))
    if record.expected:
        text.append(f"  (expected: {printable(record.expected)})", "dim")
    if record.why:
        text.append(f"\n{printable(record.why)}")
    if record.fix:
        text.append(f"\n→ {printable(record.fix)}", COLOURS[record.status])
    return text
