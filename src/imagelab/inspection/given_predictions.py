"""Predictions that a file holds: each must say which part it was held out of, or it is refused."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imagelab.problem import Problem, nearest, some_of
from imagelab.runs import csv_cells

OFF = 0.02  # by which a row of probabilities may miss 1


class Given(NamedTuple):
    """What a file says of M images. places: (M,) int64, among all. probabilities: (M, K). fold: M words."""

    places: np.ndarray
    probabilities: np.ndarray
    fold: list[str]


def given_predictions(table: str, *, names: list[str], splits: list[str], classes: list[str]) -> Given:
    """The predictions of a CSV file with the columns file, fold and one of probabilities for each class.

    Args:
        table: The file.
        names: Of all N images.
        splits: Of all N images, the split of each.
        classes: Names, in the order of the labels.

    Raises:
        Problem: A column or an image is not there, a row is no distribution, or the images were not held out.
    """
    path = Path(table).expanduser()
    columns, rows = read_table(path)
    _refuse_columns(path, columns, classes)
    number = {name: place for place, name in enumerate(names)}
    unknown = [row["file"] for row in rows if row["file"] not in number]
    if unknown:
        raise Problem(
            f"labels: {path} names {some_of(unknown, most=3)}, no image of the data"
            f"{nearest(unknown[0], names)}"
        )
    places = np.array([number[row["file"]] for row in rows], dtype=np.int64)
    fold = [row["fold"].strip() for row in rows]
    _refuse_in_sample(path, fold, [splits[place] for place in places])
    return Given(places, _probabilities(path, rows, classes), fold)


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a CSV file, and its rows.

    Raises:
        Problem: It cannot be read, or has no column for what images were held out of.
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
            "wrong ones too; say of each image which part it was held out of, or let labels=true predict"
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
        raise Problem(f"labels: {path} does not say of {empty} images which fold they were held out of")
    learnt = sum(split == "train" for split in splits)
    if len(set(fold)) == 1 and learnt:
        raise Problem(
            f"labels: {path} has one fold only ({fold[0]}), {learnt} training images in it: then nothing was "
            "held out; predict each of several folds by a network that was trained on the others"
        )


def _probabilities(path: Path, rows: Sequence[dict[str, str]], classes: Sequence[str]) -> np.ndarray:
    try:
        found = np.array([[float(row[name]) for name in classes] for row in rows]).reshape(-1, len(classes))
    except ValueError as error:
        raise Problem(f"labels: {path} has a probability that is no number: {error}") from error
    bad = np.flatnonzero(~((np.abs(found.sum(axis=1) - 1) <= OFF) & (found >= 0).all(axis=1)))
    if len(bad):
        row = rows[int(bad[0])]
        raise Problem(
            f"labels: {path} has {len(bad)} rows that are no probabilities, such as that of {row['file']}: "
            f"they add to {found[bad[0]].sum():.3g} in place of 1"
        )
    return found
