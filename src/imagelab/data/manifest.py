"""Read a table of labels: a CSV file with columns for file and labels, and perhaps for split and group."""

import csv
import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imagelab.data.listing import SPLITS, UNLABELLED, Listing
from imagelab.problem import Problem, nearest, some_of
from imagelab.runs.csv_cells import restored

FILE, LABEL, SPLIT, GROUP = ROLES = "file", "label", "split", "group"
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


class Table(NamedTuple):
    """A CSV file with labels.

    Args:
        path: Path of the file.
        columns: Role -> name of its column, for roles (ROLES) whose column is called otherwise.
        delimiter: What separates its cells, a key of DELIMITERS; "auto": what separates most in the header.
    """

    path: Path
    columns: Mapping[str, str]
    delimiter: str

    def __str__(self) -> str:
        return str(self.path)


class Row(NamedTuple):
    """One line of the table. line: Its number, the header being 1. labels: The cells of the label columns."""

    line: int
    file: str
    labels: tuple[str, ...]
    split: str


def read_manifest(table: Table, root: Path, label: str | None) -> Listing:
    """Read the pictures of a table, by split and class.

    Args:
        table: Table of labels.
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
    table: Table, root: Path, columns: Sequence[str], remedy: str = "data.label=COLUMN names other labels"
) -> list[Row]:
    """Read the rows of a table; without a column `split`, all are "train".

    Args:
        table: Table of labels.
        root: Folder to search for files that are not beside the table.
        columns: Columns with the labels.
        remedy: What to do if they are missing.

    Raises:
        Problem: Columns or files are missing, a split is unknown or a file is listed twice.
    """
    rows = [
        row._replace(file=_locate(row.file, table.path.parent, root)) for row in _rows(table, columns, remedy)
    ]
    strange = [row for row in rows if row.split.lower() not in SPLITS]
    splits = [row.split for row in strange]
    refuse(table, "unknown splits (expected train, val or test)", strange, splits)
    gone = [row for row in rows if not _is_there(row.file)]
    refuse(table, "files that do not exist", gone, [row.file for row in gone])
    times = Counter(row.file for row in rows)
    twice = [row for row in rows if times[row.file] > 1]
    refuse(table, "files that are listed more than once", twice, [row.file for row in twice])
    return [row._replace(split=SPLITS[row.split.lower()]) for row in rows]


def refuse(table: Table | Path, what: str, rows: Sequence[Row], shown: Sequence[str]) -> None:
    """Raise a Problem about rows of a table, if there are any.

    Args:
        table: Table of labels.
        what: What they have in common.
        rows: The rows.
        shown: What to show of each.
    """
    if rows:
        lines = [f"{text or '(empty)'} (line {row.line})" for row, text in zip(rows, shown, strict=True)]
        raise Problem(f"{table} has {what}: {some_of(lines)}")


def _rows(table: Table, columns: Sequence[str], remedy: str) -> list[Row]:
    try:
        with table.path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, skipinitialspace=True, delimiter=_delimiter(table, head))
            there = [(name or "").strip() for name in reader.fieldnames or []]
            reader.fieldnames = _roles(there, table.columns)
            _refuse_missing(table, there, (FILE, *columns), remedy)
            has_split = SPLIT in reader.fieldnames
            return [_row(reader.line_num, cells, columns, has_split) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Problem(f"{table} cannot be read as a table ({error}): save it as CSV in UTF-8") from error


def _delimiter(table: Table, head: str) -> str:
    if table.delimiter == "auto":
        return max(DELIMITERS.values(), key=head.count)
    return DELIMITERS[table.delimiter]


def _roles(there: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """The names of columns, those with a role by their role; a column of that name with no role is hidden.

    >>> _roles(["photo", "file", "kind"], {"file": "photo"})
    ['file', '', 'kind']
    """
    roles = {name: role for role, name in columns.items()}
    roles |= {role: "" for role in columns if role not in roles}
    return [roles.get(name, name) for name in there]


def _refuse_missing(table: Table, there: Sequence[str], roles: Sequence[str], remedy: str) -> None:
    """Raise a Problem if columns are missing, or those that `data.columns` names."""
    needed = {role: role for role in roles} | dict(table.columns)
    missing = [role for role, name in needed.items() if name not in there]
    if not missing:
        return
    if any(role in table.columns or role == FILE for role in missing):
        remedy = "data.columns={file: COLUMN, label: COLUMN} says what they are called"
    wanted = ",".join(needed.values()) + ("" if SPLIT in needed else f"[,{SPLIT}]")
    raise Problem(
        f"{table} must have the columns {wanted}, got {','.join(there) or '(none)'}"
        f"{nearest(needed[missing[0]], there)}; {remedy}"
    )


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
