"""Print a sweep on the screen: what is searched, how trials ended, the best ones, and what to type next."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from imagelab.sweep import table
from imagelab.sweep.plan import Plan
from imagelab.sweep.trial import FAILED, FINISHED, KILLED, Row, Trial
from imagelab.terminal.summary import lines, near, number, spent

BEST = 5


def opening(plan: Plan, folder: Path, ranges: Mapping[str, str]) -> RenderableType:
    """The lines at the start: what is searched, and the folder."""
    return lines({"sweep": near(folder)} | {f"  {name}": text for name, text in ranges.items()})


def starting(trial: Trial, overrides: Mapping[str, str]) -> str:
    """What a terminal shows while a trial runs."""
    return f"trial {trial.number}: {_words(overrides)}"


def ended(row: Row, monitor: str) -> str:
    """The line of a trial: its values, and at its end status, value and time."""
    value = f", {monitor} {number(row.value)}" if row.value is not None else ""
    seconds = f" in {spent(row.seconds)}" if row.seconds is not None else ""
    error = f": {row.error}" if row.error else ""
    return f"Trial {row.number}: {_words(row.overrides)}: {row.status}{value}{seconds}{error}"


def failure(row: Row, fixed: Sequence[str]) -> str:
    """The overrides that repeat a failed trial, and the error if it is known."""
    values = [f"{name}={value}" for name, value in row.overrides.items()]
    words = " ".join([*values, *(word.lstrip("+") for word in fixed)]) or "the only one"
    return f"{words}: {row.error}" if row.error else words


def closing(rows: Sequence[Row], folder: Path, plan: Plan) -> RenderableType:
    """The lines at the end: the best trials, the number of trials per status, and what to type next."""
    best = table.ranked(rows, plan.lower)
    counts = {status: sum(row.status == status for row in rows) for status in {row.status for row in rows}}
    facts: dict[str, str] = {
        "trials": ", ".join(f"{counts[status]} {status}" for status in sorted(counts, key=_order))
    }
    facts |= {"table": near(folder / table.FILE)}
    facts |= {"report": f"imagelab report sweep={near(folder)}"} if best else {}  # room: reports
    facts |= plan.search.next_commands(rows) if best else {}
    facts |= {"best": f"imagelab evaluate run={near(best[0].folder)}"} if best else {}
    board = [_board(best[:BEST], plan.monitor), Text("")] if best else []
    return Group(Text(""), *board, *plan.search.closing(rows), lines(facts))


def last_line(log: Path) -> str:
    """The last line of a trial's log; empty if it ran in this process."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _board(best: Sequence[Row], monitor: str) -> Text:
    """The best trials in columns, as text, since a table would cut them to the width of the terminal."""
    keys = list(dict.fromkeys(key for row in best for key in row.overrides))
    tested = list(dict.fromkeys(name for row in best for name in row.test))
    same = monitor.replace("val/", "test/")
    tests = [same] if same in tested else tested[:1]
    cells = [["trial", monitor, *tests, *keys, "status"]]
    for row in best:
        values = [number(row.value), *(number(row.test.get(name)) for name in tests)]
        cells.append([str(row.number), *values, *(row.overrides.get(key, "") for key in keys), row.status])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in cells]
    return Text("\n").join([Text(text[0].rstrip(), "bold"), *(Text(line.rstrip()) for line in text[1:])])


def _words(overrides: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in overrides.items()) or "the only one"


def _order(status: str) -> tuple[bool, bool, str]:
    return status != FINISHED, status in (FAILED, KILLED), status
