"""A split in which no group of copies lies in two splits.

Of the splits that a group lies in the dearest keeps it: test before val before train. Where that split was
given by folders or a table, it stays as it was, so that numbers can be compared, and the group's other images
are left out. Where it was drawn from train, it takes the group whole, and gives as many of the class back.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.finding import Finding
from imagelab.inspection.collection import Collection
from imagelab.inspection.command import on_folder
from imagelab.inspection.scan import Seen
from imagelab.problem import Problem, some_of
from imagelab.randomness import stream
from imagelab.runs.csv_cells import Writer

REPAIRED = "repaired split"
ORDER = ("train", "val", "test")
LEFT_OUT = ""


def refuse_strange_names(images: Collection) -> None:
    """Raise a Problem where the name of a file cannot be written in a table."""
    if strange := [ascii(name) for name in images.names.tolist() if not name.isprintable()]:
        raise Problem(f"split=repaired: no table can hold these names: {some_of(strange)}; rename the files")


def repair(seen: Seen, groups: np.ndarray, cfg: Node, folder: Path) -> Finding:
    """Write split.csv with the columns file,label,split; unreadable files are left out.

    Raises:
        Problem: All are.
    """
    images = seen.images
    assert images.walk is not None
    if not seen.readable.any():
        raise Problem("split=repaired: no picture can be read; leave it out to see why")
    after = repaired(images.splits, groups, images.labels, given=set(images.walk.listing))
    table = folder / "split.csv"
    write_manifest(seen, after, table)
    changed = np.flatnonzero(seen.readable & (after != images.splits))
    moved = Counter(f"{images.splits[i]} -> {after[i] or 'left out'}" for i in changed.tolist())
    return Finding(
        name=REPAIRED,
        status="INFO",
        value=dict(moved) or "nothing had to change",
        expected="no group of copies in two splits",
        why=f"{len(changed):,} of {len(after):,} images changed their place; all keep their labels",
        fix=on_folder("train", root=cfg["data"]["root"], manifest=str(table.absolute())),
    )


def repaired(splits: np.ndarray, groups: np.ndarray, labels: np.ndarray, given: set[str]) -> np.ndarray:
    """Splits, groups of copies and labels, (N,) each -> splits, (N,), "" for what is left out.

    Args:
        splits: Of each image.
        groups: The same number for copies.
        labels: Numbers of the classes, whose counts are kept in splits that are not given.
        given: The splits that folders or a table name; others were drawn from train.

    >>> splits, groups = np.array(["train", "test", "train", "val"]), np.array([0, 0, 2, 2])
    >>> repaired(splits, groups, np.zeros(4, int), given={"train", "test"}).tolist()
    ['', 'test', 'val', 'val']
    """
    rank = np.array([ORDER.index(str(split)) for split in splits])
    _, group = np.unique(groups, return_inverse=True)
    dearest = np.zeros(group.max(initial=-1) + 1, dtype=int)
    np.maximum.at(dearest, group, rank)
    now = dearest[group]
    kept = np.isin(now, [place for place, split in enumerate(ORDER) if split in given and split != "train"])
    now = np.where(kept & (now != rank), -1, now)
    for place, split in enumerate(ORDER):
        if split not in given and split != "train":
            _give_back(now, rank, group, labels, place)
    return np.array([*ORDER, LEFT_OUT])[now]


def _give_back(
    now: np.ndarray, before: np.ndarray, group: np.ndarray, labels: np.ndarray, place: int
) -> None:
    """Let whole groups go to train until each class of a split has as many images as it had, or few more."""
    sizes = np.bincount(group)
    for label in np.unique(labels[now == place]).tolist():
        surplus = int((labels[now == place] == label).sum() - (labels[before == place] == label).sum())
        mine = np.unique(group[(now == place) & (labels == label)])
        for one in stream(0, "repair", place, label).permutation(mine).tolist():
            if surplus <= 0:
                break
            if sizes[one] <= surplus and (labels[group == one] == label).all():
                now[group == one] = 0
                surplus -= int(sizes[one])


def write_manifest(seen: Seen, splits: np.ndarray, table: Path) -> None:
    """The table that `data.manifest` takes; files are named from where it lies."""
    images = seen.images
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = Writer(file)
        writer.writerow(["file", "label", "split"])
        for index in np.flatnonzero(seen.readable & (splits != LEFT_OUT)).tolist():
            path = os.path.relpath(str(images.path(index)), table.parent.absolute())
            writer.writerow([path, images.classes[images.labels[index]], splits[index]])
