"""Write runs as lines for the terminal, and as a CSV file."""

import io
from collections.abc import Sequence
from typing import Any

from imagelab.reports.runs.conditions import plain
from imagelab.reports.runs.listed import Listed, columns_of
from imagelab.reports.runs.page import differing, short_names
from imagelab.runs.csv_cells import write_rows
from imagelab.terminal.summary import number, spent


def overview(runs: Sequence[Listed]) -> list[str]:
    """Two lines per run: how it ended and what it reached; and what it changed."""
    facts = [["run", "status", "best epoch", "time", "started", "commit"]]
    for run in runs:
        cells = run.cells
        seconds = "" if cells["seconds"] is None else spent(cells["seconds"])
        facts.append(
            [cells["run"], cells["status"], run.best, seconds, cells["started"], cells["commit"] or ""]
        )
    head, *lines = aligned(facts)
    changed = [" ".join(f"{key}={plain(value)}" for key, value in run.changes.items()) for run in runs]
    pairs = zip(lines, changed, strict=True)
    return [head, *(line for first, second in pairs for line in (first, f"    {second or 'the defaults'}"))]


def comparison(runs: Sequence[Listed]) -> list[str]:
    """A line for each key in which the runs differ, and for each metric."""
    rows = [["", *short_names(runs)]]
    rows += [[key, *map(plain, values)] for key, values in differing(runs).items()]
    rows += [[name, *(number(run.metrics.get(name)) for run in runs)] for name in columns_of(runs)[1]]
    return aligned(rows)


def as_csv(runs: Sequence[Listed]) -> str:
    """A header and a line per run; a key without a value has its default."""
    facts, metrics, changes = columns_of(runs)
    rows: list[dict[str, Any]] = []
    for run in runs:
        told = {name: run.cells[name] for name in facts} | run.metrics
        there = {name: value for name, value in told.items() if value is not None}
        rows.append(there | {name: plain(value) for name, value in run.changes.items()})
    text = io.StringIO()
    write_rows(text, [*facts, *metrics, *changes], rows, lineterminator="\n")
    return text.getvalue()


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with straight columns.

    >>> aligned([["a", "b"], ["longer", ""]])
    ['a       b', 'longer']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
