"""Read several classes, or values, of files: from a table, or from the names of folders."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imagelab.data.labels import SEPARATOR, WORDS
from imagelab.data.listing import list_pictures
from imagelab.data.manifest import Row, Table, read_rows, refuse
from imagelab.problem import Problem, some_of

YES, NO = ("1", "1.0", "true", "yes", "y"), ("0", "0.0", "-1", "false", "no", "n", "")


class Tabled(NamedTuple):
    """N files. classes: Names of the labels. splits: (N,) str. labels: (N, K) bool, or (N, V) float32."""

    classes: list[str]
    paths: list[str]
    splits: np.ndarray
    labels: np.ndarray


def tabled(top: Path, table: Table | None, takes: str, columns: Sequence[str]) -> Tabled:
    """Read files whose labels are not a single class.

    Args:
        top: Folder with the files.
        table: Table of their labels; None: values are the names of class folders, such as 23/.
        takes: Kind of labels, "multilabel" or "values".
        columns: Columns with the labels.

    Raises:
        Problem: There are no such labels.
    """
    rows = read_rows(table, top, columns) if table else _from_folders(top, takes)
    if all(row.split != "train" for row in rows):
        raise Problem(f"{table or top} has no pictures for train")
    made = (values_of if takes == "values" else tags_of)(rows, columns, table or top)
    return Tabled(made[0], [row.file for row in rows], np.array([row.split for row in rows]), made[1])


def _from_folders(top: Path, takes: str) -> list[Row]:
    needed = f"{WORDS[takes]} need a labels.csv with the columns file,label[,split], or data.label=COLUMN"
    if takes != "values":
        raise Problem(f"{top} has no table of labels: {needed}")
    listing = list_pictures(top, labelled=True)
    names = {name for classes in listing.values() for name in classes}
    if strange := sorted(name for name in names if not _fits(name, _is_finite)):
        raise Problem(f"{top} has folders whose names are not numbers ({some_of(strange)}): {needed}")
    return [
        Row(0, path, (name,), split)
        for split, classes in listing.items()
        for name, paths in classes.items()
        for path in paths
    ]


def values_of(
    rows: Sequence[Row], columns: Sequence[str], table: Table | Path
) -> tuple[list[str], np.ndarray]:
    """The names of the values, and those of each row, (N, V) float32.

    Raises:
        Problem: A cell is not a finite number.
    """
    refuse(table, "values that are not finite numbers", *_odd(rows, _is_finite))
    return [*columns], np.array([[float(cell) for cell in row.labels] for row in rows], dtype=np.float32)


def tags_of(rows: Sequence[Row], columns: Sequence[str], table: Table | Path) -> tuple[list[str], np.ndarray]:
    """The names of the classes, and those of each row, (N, K) bool.

    One column lists the classes of an image, such as red|dress; several columns say yes or no to each class.

    Raises:
        Problem: A cell of several columns is neither yes nor no, or there are fewer than two classes.
    """
    if len(columns) > 1:
        refuse(table, "labels that are neither yes nor no", *_odd(rows, lambda c: c.lower() in YES + NO))
        return [*columns], np.array([[cell.lower() in YES for cell in row.labels] for row in rows])
    lists = [[word.strip() for word in row.labels[0].split(SEPARATOR) if word.strip()] for row in rows]
    classes = sorted({word for words in lists for word in words})
    if len(classes) < 2:
        found = some_of(classes) or "empty cells"
        raise Problem(f"{table} has only {found} in the column {columns[0]}: add a second class")
    number = {name: place for place, name in enumerate(classes)}
    tags = np.zeros((len(rows), len(classes)), dtype=np.bool_)
    for row, words in zip(tags, lists, strict=True):
        row[[number[word] for word in words]] = True
    return classes, tags


def _odd(rows: Sequence[Row], fits: Callable[[str], bool]) -> tuple[list[Row], list[str]]:
    """The rows with a cell that does not fit, and that cell."""
    pairs = [(row, cell) for row in rows for cell in row.labels if not _fits(cell, fits)]
    return [row for row, _ in pairs], [cell for _, cell in pairs]


def _is_finite(cell: str) -> bool:
    return math.isfinite(float(cell))


def _fits(cell: str, fits: Callable[[str], bool]) -> bool:
    try:
        return fits(cell)
    except ValueError:
        return False
