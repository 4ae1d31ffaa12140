"""Repair a split: put every group of copies into one split only.

A group goes to the most valuable split that it touches: test before val before train. If folders or a table
define that split, it does not change, so metrics stay comparable, and the group's other images are left out.
If it was drawn from train, it takes the whole group and gives as many images of the class back.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.files import Files
from imagelab.data.groups import units
from imagelab.data.labels import kind_of, strata
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
    """Raise a Problem if the name of a file cannot be written in a table."""
    if strange := [ascii(name) for name in images.names.tolist() if not name.isprintable()]:
        raise Problem(f"split=repaired: no table can hold these names: {some_of(strange)}; rename the files")


def repair(seen: Seen, groups: np.ndarray, cfg: Node, folder: Path) -> Finding:
    """Write split.csv with the columns file,label,split, without unreadable files.

    Raises:
        Problem: No file can be read.
    """
    images = seen.images
    assert images.walk is not None
    if not seen.readable.any():
        raise Problem("split=repaired: no picture can be read; run without split=repaired to see why")
    own = [one.groups for one in images.parts.values() if isinstance(one, Files) and one.groups is not None]
    groups = units(groups, np.concatenate(own)) if own else groups  # those of data.group stay together too
    after = repaired(images.splits, groups, strata(images.labels), given=set(images.walk.listing))
    table = folder / "split.csv"
    write_manifest(seen, after, table)
    changed = np.flatnonzero(seen.readable & (after != images.splits))
    moved = Counter(f"{images.splits[i]} -> {after[i] or 'left out'}" for i in changed.tolist())
    values = kind_of(images.labels) == "values"
    words = [f"data.label=[{','.join(images.classes)}]"] if values else []
    return Finding(
        name=REPAIRED,
        status="INFO",
        value=dict(moved) or "nothing had to change",
        expected="no group of copies in two splits",
        why=f"{len(changed):,} of {len(after):,} images changed split or were left out; labels are unchanged",
        fix=on_folder("train", *words, root=cfg["data"]["root"], manifest=str(table.absolute())),
    )


def repaired(splits: np.ndarray, groups: np.ndarray, labels: np.ndarray, given: set[str]) -> np.ndarray:
    """The repaired split of each image, (N,) str; "" if it is left out.

    Args:
        splits: (N,) str, split of each image.
        groups: (N,) int, the same number for copies.
        labels: (N,) int; splits that are not given keep their number of images per class.
        given: Splits named by folders or a table; the others were drawn from train.

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
    """Move whole groups to train until each class of a split has about as many images as before."""
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
    """Write the table for `data.manifest`, with paths relative to the table."""
    images = seen.images
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = Writer(file)
        values = kind_of(images.labels) == "values"
        writer.writerow(["file", *(images.classes if values else ["label"]), "split"])
        for index in np.flatnonzero(seen.readable & (splits != LEFT_OUT)).tolist():
            path = os.path.relpath(str(images.path(index)), table.parent.absolute())
            label = images.labels[index].tolist() if values else [images.label(index)]
            writer.writerow([path, *label, splits[index]])
