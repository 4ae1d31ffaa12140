"""List the pictures of a folder as `data=folder` does, and all that it would refuse or skip."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from imagelab.config.schema import Node
from imagelab.data.folder import _classes, _existing, label_columns, table_of
from imagelab.data.label_table import Tabled, tabled
from imagelab.data.labels import SEVERAL
from imagelab.data.listing import SPLITS, UNLABELLED, Listing, is_picture, list_pictures
from imagelab.data.manifest import Table, read_manifest
from imagelab.data.tree import is_folder, tree
from imagelab.problem import Problem

JUNK = ("__MACOSX",)


@dataclass
class Walk:
    """The content of a folder.

    Args:
        root: Path of the folder.
        table: Its table of labels, if there is one.
        listing: Split -> class -> paths of files with a picture's ending; classes may be empty.
        strays: Paths of other files.
        labels: Their labels if they are no classes; all paths are then listed under one.
        refusal: Why `data=folder` would refuse the folder without opening a file; empty if it would not.
    """

    root: Path
    table: Table | None = None
    listing: Listing = field(default_factory=dict)
    labels: Tabled | None = None
    strays: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def origin(self) -> str:
        """The table of labels, or else the folder."""
        return str(self.table or self.root)


def walk(own: Node, takes: str) -> Walk:
    """List everything below a folder, or the files in its table of labels.

    Args:
        own: Config of `data=folder`.
        takes: Kind of labels to read: "class", or as a task takes them.

    Raises:
        Problem: There is no such folder, no picture in it, or its table cannot be read.
    """
    top = _existing(Path(own["root"]).expanduser().absolute(), "data.root")
    table = table_of(top, own["manifest"], own["columns"], own["delimiter"])
    labels_in = label_columns(own["label"], own["columns"])
    if takes in SEVERAL:
        made = tabled(top, table, takes, labels_in)
        listing: Listing = {}
        for path, split in zip(made.paths, made.splits.tolist(), strict=True):
            listing.setdefault(split, {}).setdefault(UNLABELLED, []).append(path)
        return Walk(top, table, listing=listing, labels=made)
    if table is not None:
        listing = read_manifest(table, top, labels_in[0])
        refusal = _refusal(partial(_classes, listing, str(table), least=2))
        return Walk(top, table, listing=listing, refusal=refusal)
    found = Walk(top)
    found.refusal = _refusal(lambda: _classes(list_pictures(top, labelled=True), str(top), least=2))
    for split, folder in _split_folders(top):
        _collect(found, split, folder)
    if not any(paths for classes in found.listing.values() for paths in classes.values()):
        raise Problem(found.refusal or f"{top} holds no pictures")
    return found


def _refusal(attempt: Callable[[], object]) -> str:
    """The message of a Problem that an attempt raises; empty if it raises none."""
    try:
        attempt()
    except Problem as problem:
        return str(problem)
    return ""


def _split_folders(top: Path) -> list[tuple[str, Path]]:
    folders = _folders(top)
    splits = [(SPLITS[folder.name.lower()], folder) for folder in folders if folder.name.lower() in SPLITS]
    has_train = any(split == "train" and _folders(folder) for split, folder in splits)
    if not splits or (not has_train and len(splits) < len(folders)):
        return [("train", top)]
    return splits


def _collect(found: Walk, split: str, folder: Path) -> None:
    """Add the pictures and strays of a split."""
    classes = found.listing.setdefault(split, {})
    for inner in _folders(folder):
        below = tree(str(inner), hidden=True).files
        classes.setdefault(inner.name, []).extend(sorted(filter(_is_picture, below)))
        found.strays += [path for path in below if not _is_picture(path)]
    beside = sorted(entry.path for entry in os.scandir(folder) if not is_folder(entry))
    if not classes:
        classes[UNLABELLED] = [path for path in beside if _is_picture(path)]
        beside = [path for path in beside if not _is_picture(path)]
    found.strays += beside


def _is_picture(path: str) -> bool:
    return is_picture(path) and not os.path.basename(path).startswith(".")  # noqa: PTH119 - of 60,000 files


def _folders(folder: Path) -> list[Path]:
    return sorted(
        inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith((".", *JUNK))
    )
