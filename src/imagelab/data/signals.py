"""Read what a network sees of an image besides its pixels: columns of its table, as numbers near 0.

A column of numbers is standardised by the training images; any other column gets a 0 or 1 for each of its
values there. What is missing is the training mean of a number, and no value of a category.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagelab.data.files import Files
from imagelab.data.manifest import Table, read_rows
from imagelab.problem import Problem, some_of

Row = Mapping[str, object]  # of one image: cells by the names of their columns
Column = dict[str, Any]  # plain data: name, and mean and std of a number, or the values of a category
IMAGE = "image"  # the word for the pixels among the columns
MISSING = ("", "na", "nan", "null", "none")
MOST = 64  # values of a category: with more, it is rather the name of something
KEY = "data.signals"
logger = logging.getLogger(__name__)


class Signals(NamedTuple):
    """What a table says of the images besides their labels.

    names: Names of the columns. image: Whether the network sees the image, too.
    cells: Split -> (N, columns) str.
    """

    names: list[str]
    image: bool
    cells: Mapping[str, np.ndarray]


def read_signals(
    words: Sequence[str], table: Table | None, top: Path, splits: Mapping[str, Files]
) -> Signals:
    """Read the columns that `data.signals` names, for the images of each split.

    Args:
        words: Names of columns, and `image` if the network sees that, too.
        table: Table of labels; None: there is none.
        top: Folder with the files.
        splits: Files of the table, by split.

    Raises:
        Problem: A word is there twice, or there is no such column.
    """
    names = [word for word in words if word != IMAGE]
    if len({*words}) < len(words):
        raise Problem(f"{KEY}: wants each name once, got {', '.join(words)}")
    if names and table is None:
        raise Problem(
            f"{KEY}: {' and '.join(names)} must be columns of a table, and {top} has no labels.csv; "
            "set data.manifest=TABLE"
        )
    if not names or table is None:
        return Signals([], IMAGE in words, {})
    found = cells_of(table, top, names)
    cells = {
        split: np.array([found[path] for path in files.paths.tolist()], dtype=np.str_)
        for split, files in splits.items()
    }
    return Signals(names, IMAGE in words, cells)


def cells_of(table: Table, top: Path, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The cells of these columns, by the path of each file of a table.

    Raises:
        Problem: The table has no such column.
    """
    rows = read_rows(table, top, names, f"{KEY} names what the network sees besides the image")
    return {row.file: row.labels for row in rows}


def beside_files(table: Table | None, columns: Sequence[Column]) -> dict[Path, Row]:
    """What a table says of each of its files, by the names of columns.

    Raises:
        Problem: There is no table, or no such column.
    """
    if table is None:
        raise Problem(needed(columns))
    names = [column["name"] for column in columns]
    found = cells_of(table, table.path.parent, names)
    return {Path(path): dict(zip(names, cells, strict=True)) for path, cells in found.items()}


def fit_columns(names: Sequence[str], cells: np.ndarray) -> list[Column]:
    """What the columns (N, columns) str of the training images are: numbers, or categories.

    >>> fit_columns(["age", "site"], np.array([["30", "b"], ["50", "a"], ["", "a"]]))
    [{'name': 'age', 'mean': 40.0, 'std': 10.0}, {'name': 'site', 'values': ['a', 'b']}]

    Raises:
        Problem: A column says nothing, or is a category of too many values.
    """
    return [_fit(name, column.tolist()) for name, column in zip(names, cells.T, strict=True)]


def encode(columns: Sequence[Column], cells: np.ndarray, where: str) -> np.ndarray:
    """The columns (N, columns) str as numbers near 0, (N, `len(labels_of(columns))`) float32.

    A value that no training image has is logged once, and encoded as if it were missing.

    Args:
        columns: Result of `fit_columns`.
        cells: Cells of the columns.
        where: Where they come from, for messages.

    >>> columns = [{"name": "age", "mean": 40.0, "std": 10.0}, {"name": "site", "values": ["a", "b"]}]
    >>> encode(columns, np.array([["45", "b"], ["", ""]]), "val").tolist()
    [[0.5, 0.0, 1.0], [0.0, 0.0, 0.0]]

    Raises:
        Problem: A number is none.
    """
    parts = [_encode(column, own.tolist(), where) for column, own in zip(columns, cells.T, strict=True)]
    return np.concatenate([np.zeros((len(cells), 0)), *parts], axis=1).astype(np.float32)


def labels_of(columns: Sequence[Column]) -> list[str]:
    """The names of the numbers that `encode` makes.

    >>> labels_of([{"name": "age", "mean": 40.0, "std": 10.0}, {"name": "site", "values": ["a", "b"]}])
    ['age', 'site=a', 'site=b']
    """
    return [
        label
        for column in columns
        for label in (
            [f"{column['name']}={value}" for value in column["values"]]
            if "values" in column
            else [column["name"]]
        )
    ]


def encode_rows(columns: Sequence[Column], rows: Sequence[Row], where: str) -> np.ndarray:
    """As `encode`, of a cell by name for each image; None, too, is missing.

    Raises:
        Problem: One lacks a column.
    """
    names = [column["name"] for column in columns]
    for row in rows:
        if missing := [name for name in names if name not in row]:
            raise Problem(f"{KEY}: wants {' and '.join(names)} of each image, got no {missing[0]}")
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    return encode(columns, np.array(cells, dtype=np.str_).reshape(len(rows), len(names)), where)


def needed(columns: Sequence[Column]) -> str:
    """The sentence for a network that needs signals, and gets images alone."""
    names = [column["name"] for column in columns]
    return (
        f"{KEY}: this network sees {' and '.join(names)} besides the image, which pictures do not tell; "
        f"imagelab predict takes source=list.csv, a table with the columns file,{','.join(names)}"
    )


def is_missing(cell: str) -> bool:
    """Whether a cell says that nothing is known."""
    return cell.strip().lower() in MISSING


def number_of(cell: str) -> float | None:
    """The finite number in a cell; None if it holds something else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fit(name: str, cells: list[str]) -> Column:
    known = [cell for cell in cells if not is_missing(cell)]
    numbers = [number_of(cell) for cell in known]
    values = sorted({*known})
    if len(values) < 2:
        said = f"is {values[0]} in all training images" if values else "is empty in all training images"
        raise Problem(f"{KEY}: {name} {said}, which says nothing; leave it out")
    if None not in numbers:
        exact = np.array(numbers, dtype=np.float64)
        return {"name": name, "mean": float(exact.mean()), "std": float(exact.std() or 1.0)}
    if len(values) > MOST:
        strange = next(cell for cell, number in zip(known, numbers, strict=True) if number is None)
        raise Problem(
            f"{KEY}: {name} has {len(values):,} different values in training, such as {strange}, and a "
            f"category at most {MOST}; group them, or make all of them numbers"
        )
    return {"name": name, "values": values}


def _encode(column: Column, cells: list[str], where: str) -> np.ndarray:
    name = column["name"]
    if "values" in column:
        strange = sorted({cell for cell in cells if not is_missing(cell)} - {*column["values"]})
        if strange:
            logger.warning(
                "%s: %s of %s has values that no training image has, which count as missing: %s",
                KEY, name, where, some_of(strange, 5),
            )  # fmt: skip
        return np.array(cells)[:, None] == np.array(column["values"])[None]
    numbers = [column["mean"] if is_missing(cell) else number_of(cell) for cell in cells]
    if None in numbers:
        strange = cells[numbers.index(None)]
        raise Problem(f"{KEY}: {name} of {where} is {strange!r}, and was a number in training; correct it")
    return (np.array(numbers, dtype=np.float64)[:, None] - column["mean"]) / column["std"]
