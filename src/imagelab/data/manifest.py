"""Read a table of labels: a CSV file with the columns file,label[,split]."""

import csv
import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from imagelab.data.listing import SPLITS, Listing
from imagelab.problem import Problem, some_of
from imagelab.runs.csv_cells import restored


class Row(NamedTuple):
    """One line of the table. line: Its number, the header being 1."""

    line: int
    file: str
    label: str
    split: str


def read_manifest(table: Path, root: Path) -> Listing:
    """Read the pictures of a table, by split and class; without a column `split`, all are "train".

    Args:
        table: CSV file.
        root: Folder to search for files that are not beside the table.

    Raises:
        Problem: Columns, labels or files are missing, a split is unknown or a file is listed twice.
    """
    rows = [row._replace(file=_locate(row.file, table.parent, root)) for row in _rows(table)]
    _refuse(
        table,
        "unknown splits (expected train, val or test)",
        [r for r in rows if r.split.lower() not in SPLITS],
        "split",
    )
    _refuse(table, "files without a label", [row for row in rows if not row.label], "file")
    _refuse(table, "files that do not exist", [row for row in rows if not _is_there(row.file)], "file")
    times = Counter(row.file for row in rows)
    _refuse(
        table, "files that are listed more than once", [row for row in rows if times[row.file] > 1], "file"
    )
    listing: Listing = {}
    for row in rows:
        listing.setdefault(SPLITS[row.split.lower()], {}).setdefault(row.label, []).append(row.file)
    return listing


def _rows(table: Path) -> list[Row]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [(name or "").strip() for name in reader.fieldnames or []]
            if not {"file", "label"} <= set(columns):
                raise Problem(
                    f"{table} must have the columns file,label[,split], got {','.join(columns) or '(none)'}"
                )
            reader.fieldnames = columns
            return [_row(reader.line_num, cells, "split" in columns) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Problem(f"{table} cannot be read as a table ({error}): save it as CSV in UTF-8") from error


def _row(line: int, cells: dict[str, str | None], has_split: bool) -> Row:
    file, label, split = ((cells.get(name) or "").strip() for name in ("file", "label", "split"))
    return Row(line, file, restored(label), split if has_split else "train")


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


def _refuse(table: Path, what: str, rows: list[Row], column: str) -> None:
    if rows:
        listing = some_of([f"{getattr(row, column) or '(empty)'} (line {row.line})" for row in rows])
        raise Problem(f"{table} has {what}: {listing}")
