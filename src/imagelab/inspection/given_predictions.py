"""Read held-out predictions from a CSV file; refuse it if it does not name each image's fold."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imagelab.problem import Problem, nearest, some_of
from imagelab.runs import csv_cells

OFF = 0.02  # allowed deviation of a row of probabilities from a sum of 1


class Given(NamedTuple):
    """Predictions for M images. places: (M,) int64, indices. probabilities: (M, K). fold: names, M."""

    places: np.ndarray
    probabilities: np.ndarray
    fold: list[str]


def given_predictions(table: str, *, names: list[str], splits: list[str], classes: list[str]) -> Given:
    """Read a CSV file with columns file, fold, and a column of probabilities per class.

    Args:
        table: Path of the file.
        names: Names of all N images.
        splits: Split of each of the N images.
        classes: Class names in the order of the labels.

    Raises:
        Problem: A column or image is missing, a row is not a distribution, or the images were not held out.
    """
    path = Path(table).expanduser()
    columns, rows = read_table(path)
    _refuse_columns(path, columns, classes)
    number = {name: place for place, name in enumerate(names)}
    unknown = [row["file"] for row in rows if row["file"] not in number]
    if unknown:
        raise Problem(
            f"labels: {path} names files that are not in the data: {some_of(unknown, most=3)}"
            f"{nearest(unknown[0], names)}"
        )
    places = np.array([number[row["file"]] for row in rows], dtype=np.int64)
    fold = [row["fold"].strip() for row in rows]
    _refuse_in_sample(path, fold, [splits[place] for place in places])
    return Given(places, _probabilities(path, rows, classes), fold)


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Read the columns and rows of a CSV file.

    Raises:
        Problem: The file cannot be read, or has no column `fold`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            columns, rows = csv_cells.read_table(file)
    except (OSError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Problem(f"labels={path} cannot be read ({why}): expected true, false or a CSV file") from error
    if "fold" not in columns:
        raise Problem(
            f"labels: {path} has no column `fold`: a network repeats the labels that it was trained on, "
            "wrong ones too; name the fold each image was held out of, or set labels=true to predict them"
        )
    return columns, rows


def _refuse_columns(path: Path, columns: Sequence[str], classes: Sequence[str]) -> None:
    if missing := [name for name in ("file", *classes) if name not in columns]:
        raise Problem(
            f"labels: {path} has no column {missing[0]!r}: expected file, fold and a probability for each of "
            f"{some_of(classes)}{nearest(missing[0], columns)}"
        )


def _refuse_in_sample(path: Path, fold: Sequence[str], splits: Sequence[str]) -> None:
    if empty := sum(not one for one in fold):
        raise Problem(f"labels: {path} names no fold for {empty} images; name the fold each was held out of")
    learnt = sum(split == "train" for split in splits)
    if len(set(fold)) == 1 and learnt:
        raise Problem(
            f"labels: {path} has a single fold ({fold[0]}) with {learnt} training images, so nothing was "
            "held out; predict each of several folds with a network trained on the others"
        )


def _probabilities(path: Path, rows: Sequence[dict[str, str]], classes: Sequence[str]) -> np.ndarray:
    try:
        found = np.array([[float(row[name]) for name in classes] for row in rows]).reshape(-1, len(classes))
    except ValueError as error:
        raise Problem(f"labels: {path} has a probability that is not a number: {error}") from error
    bad = np.flatnonzero(~((np.abs(found.sum(axis=1) - 1) <= OFF) & (found >= 0).all(axis=1)))
    if len(bad):
        row = rows[int(bad[0])]
        raise Problem(
            f"labels: {path} has {len(bad)} rows that are not probabilities, such as that of {row['file']}: "
            f"it adds up to {found[bad[0]].sum():.3g} instead of 1"
        )
    return found
