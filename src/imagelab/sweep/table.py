"""Read and write sweep.csv: one row per trial, rewritten completely after each trial."""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imagelab.config.trust import refuse_untrusted_words
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.runs.csv_cells import read_rows, write_rows
from imagelab.sweep.trial import Row

FILE = "sweep.csv"
NUMBER = re.compile(r"[-+.\deE]+")
FIRST, LAST = ("number", "status"), ("epochs", "seconds", "folder", "error")


def write(folder: Path, rows: Iterable[Row], monitor: str) -> None:
    """Write the table.

    Args:
        folder: Folder of the sweep.
        rows: Rows, in any order.
        monitor: Metric that trials are compared by, and the name of its column.
    """
    ordered = sorted(rows, key=lambda row: row.number)
    keys = list(dict.fromkeys(key for row in ordered for key in row.overrides))
    tests = list(dict.fromkeys(name for row in ordered for name in row.test))
    text = io.StringIO()
    cells = [_cells(row, monitor, folder) for row in ordered]
    write_rows(text, [*FIRST, *keys, monitor, *tests, *LAST], cells, lineterminator="\n")
    files.write_text(folder / FILE, text.getvalue())


def read(folder: Path) -> tuple[list[Row], str]:
    """Read the rows of a sweep, and the metric that its trials are compared by.

    Raises:
        Problem: If there is no such table, it is damaged, or a value could run code as an override.
    """
    try:
        lines = read_rows(io.StringIO((folder / FILE).read_text(encoding="utf-8")))
        rows, monitor = _parsed(lines, folder)
    except OSError as error:
        raise Problem(f"{folder} is not the folder of a sweep: there is no {FILE} in it.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(
            f"{folder / FILE} is damaged ({type(error).__name__}: {error}). "
            "Delete it and resume the sweep: its trials are in their folders."
        ) from error
    refuse_untrusted_words(sorted(_words(rows)), folder / FILE)
    return rows, monitor


def _parsed(lines: list[dict[str, str]], folder: Path) -> tuple[list[Row], str]:
    columns = list(lines[0]) if lines else []
    tests = [name for name in columns if name.startswith("test/")]
    rest = [name for name in columns if name not in (*FIRST, *LAST, *tests)]
    monitor = rest[-1] if rest else ""
    keys = rest[:-1]
    return [_row(line, keys, monitor, tests, folder) for line in lines], monitor


def ranked(rows: Iterable[Row], lower: bool) -> list[Row]:
    """The rows that have a value, the best first; ties in order of number."""
    sign = 1 if lower else -1
    return sorted((row for row in rows if row.value is not None), key=lambda row: sign * (row.value or 0.0))


def _cells(row: Row, monitor: str, sweep: Path) -> dict[str, Any]:
    inside = row.folder.resolve().is_relative_to(sweep.resolve())
    folder = row.folder.resolve().relative_to(sweep.resolve()) if inside else row.folder
    cells: dict[str, Any] = {"number": row.number, "status": row.status, **row.overrides, **row.test}
    cells |= {"epochs": row.epochs, "seconds": row.seconds, "folder": str(folder), "error": row.error}
    return cells | {monitor: row.value}


def _row(line: dict[str, str], keys: Sequence[str], monitor: str, tests: Sequence[str], sweep: Path) -> Row:
    return Row(
        number=int(line["number"]),
        status=line["status"],
        overrides={key: line[key] for key in keys if line[key] != ""},
        value=_number(line[monitor]),
        test={name: _number(line[name]) for name in tests},
        epochs=int(line["epochs"]) if line["epochs"] else None,
        seconds=_number(line["seconds"]),
        folder=sweep / line["folder"],
        error=line["error"],
    )


def _words(rows: Iterable[Row]) -> set[str]:
    """The overrides of the rows; numbers, which are many and harmless, as one of each key."""
    pairs = {(key, value) for row in rows for key, value in row.overrides.items()}
    return {f"{key}={'0' if NUMBER.fullmatch(value) else value}" for key, value in pairs}


def _number(text: str) -> float | None:
    return float(text) if text else None
