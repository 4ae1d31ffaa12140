"""Read a table of labels: a CSV file with a column `file`, columns with labels, and perhaps `split`."""

import csv
import os
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imagelab.data.listing import SPLITS, UNLABELLED, Listing
from imagelab.problem import Problem, nearest, some_of
from imagelab.runs.csv_cells import restored

FILE, SPLIT = "file", "split"


class Row(NamedTuple):
    """One line of the table. line: Its number, the header being 1. labels: The cells of the label columns."""

    line: int
    file: str
    labels: tuple[str, ...]
    split: str


def read_manifest(table: Path, root: Path, label: str | None) -> Listing:
    """Read the pictures of a table, by split and class.

    Args:
        table: CSV file.
        root: Folder to search for files that are not beside the table.
        label: Column with the class; None: all are of the class `unlabelled`.

    Raises:
        Problem: As in `read_rows`, or a label is empty.
    """
    rows = read_rows(table, root, [label] if label else [])
    rows = rows if label else [row._replace(labels=(UNLABELLED,)) for row in rows]
    bare = [row for row in rows if not row.labels[0]]
    refuse(table, "files without a label", bare, [row.file for row in bare])
    listing: Listing = {}
    for row in rows:
        listing.setdefault(row.split, {}).setdefault(row.labels[0], []).append(row.file)
    return listing


def read_rows(
    table: Path, root: Path, columns: Sequence[str], remedy: str = "data.label=COLUMN names other labels"
) -> list[Row]:
    """Read the rows of a table; without a column `split`, all are "train".

    Args:
        table: CSV file.
        root: Folder to search for files that are not beside the table.
        columns: Columns with the labels.
        remedy: What to do if they are missing.

    Raises:
        Problem: Columns or files are missing, a split is unknown or a file is listed twice.
    """
    rows = [row._replace(file=_locate(row.file, table.parent, root)) for row in _rows(table, columns, remedy)]
    strange = [row for row in rows if row.split.lower() not in SPLITS]
    splits = [row.split for row in strange]
    refuse(table, "unknown splits (expected train, val or test)", strange, splits)
    gone = [row for row in rows if not _is_there(row.file)]
    refuse(table, "files that do not exist", gone, [row.file for row in gone])
    times = Counter(row.file for row in rows)
    twice = [row for row in rows if times[row.file] > 1]
    refuse(table, "files that are listed more than once", twice, [row.file for row in twice])
    return [row._replace(split=SPLITS[row.split.lower()]) for row in rows]


def refuse(table: Path, what: str, rows: Sequence[Row], shown: Sequence[str]) -> None:
    """Raise a Problem about rows of a table, if there are any.

    Args:
        table: CSV file.
        what: What they have in common.
        rows: The rows.
        shown: What to show of each.
    """
    if rows:
        lines = [f"{text or '(empty)'} (line {row.line})" for row, text in zip(rows, shown, strict=True)]
        raise Problem(f"{table} has {what}: {some_of(lines)}")


def _rows(table: Path, columns: Sequence[str], remedy: str) -> list[Row]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            there = [(name or "").strip() for name in reader.fieldnames or []]
            if missing := [name for name in (FILE, *columns) if name not in there]:
                wanted = ",".join((FILE, *columns))
                raise Problem(
                    f"{table} must have the columns {wanted}[,{SPLIT}], got {','.join(there) or '(none)'}"
                    f"{nearest(missing[0], there)}; {remedy}"
                )
            reader.fieldnames = there
            return [_row(reader.line_num, cells, columns, SPLIT in there) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Problem(f"{table} cannot be read as a table ({error}): save it as CSV in UTF-8") from error


def _row(line: int, cells: dict[str, str | None], columns: Sequence[str], has_split: bool) -> Row:
    file, split, *labels = ((cells.get(name) or "").strip() for name in (FILE, SPLIT, *columns))
    return Row(line, file, tuple(map(restored, labels)), split if has_split else "train")


def _locate(file: str, beside: Path, root: Path) -> str:
    """The path of a file beside the table or in the root, by its name as written or as it was guarded."""
    found = _in_either(file, beside, root)
    return found if restored(file) == file or _is_there(found) else _in_either(restored(file), beside, root)


def _in_either(file: str, beside: Path, root: Path) -> str:
    near = os.path.normpath(os.path.join(beside, file))  # noqa: PTH118 - for each of 60,000 files
    far = os.path.normpath(os.path.join(root, file))  # noqa: PTH118
    return far if not _is_there(near) and _is_there(far) else near


def _is_there(path: str) -> bool:
    """Whether there is anything but a folder: what is no regular file is listed as unreadable later."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - for each of 60,000 files
    except OSError:
        return False
