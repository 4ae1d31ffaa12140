"""Keep spreadsheets from running cells as formulas: they get an apostrophe, which is removed on reading.

Source: OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # after apostrophes too, so that reading gives it back
GUARDED = re.compile(r"'+[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def guarded(value: Any) -> Any:
    """A cell as written: text that a spreadsheet would run as a formula gets an apostrophe in front.

    >>> guarded("=1+1.jpg"), guarded("-0.5"), guarded(-0.5), guarded("a-b")
    ("'=1+1.jpg", '-0.5', -0.5, 'a-b')
    """
    text = str(value) if isinstance(value, str | Path) else ""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else value


def restored(text: str) -> str:
    """The text of a cell that `guarded` wrote.

    >>> restored(guarded("=1+1.jpg")), restored(guarded("'-x")), restored("'s-Hertogenbosch")
    ('=1+1.jpg', "'-x", "'s-Hertogenbosch")
    """
    return text[1:] if GUARDED.match(text) else text


class Writer:
    """A `csv.writer` that guards every cell.

    Args:
        file: File opened for writing.
        lineterminator: End of each line.
    """

    def __init__(self, file: TextIO, lineterminator: str = "\r\n") -> None:
        self._writer = csv.writer(file, lineterminator=lineterminator)

    def writerow(self, row: Iterable[Any]) -> None:
        """Write one line."""
        self._writer.writerow([guarded(cell) for cell in row])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write several lines."""
        for row in rows:
            self.writerow(row)


def write_rows(
    file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], lineterminator: str = "\r\n"
) -> None:
    """Write a header and a line per row; cells that a row lacks are empty."""
    writer = Writer(file, lineterminator)
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)


def read_rows(lines: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a table by column; missing cells are empty."""
    return read_table(lines)[1]


def read_table(lines: Iterable[str]) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the rows of a table."""
    reader = csv.DictReader(lines, restval="")
    columns = [restored(name) for name in reader.fieldnames or []]
    reader.fieldnames = columns
    return columns, [{name: restored(row[name]) for name in columns} for row in reader]
