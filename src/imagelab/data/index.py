"""Remember what lies in a folder: as long as no folder below it has changed, nothing is listed again."""

import hashlib
import logging
import os
import time
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagelab.data.array_record import read_arrays, write_arrays
from imagelab.data.cache import cache_folder
from imagelab.data.listing import Listing, search
from imagelab.data.paths import Paths, paths_of
from imagelab.problem import Problem

logger = logging.getLogger(__name__)

SETTLED = 2.0  # seconds: a folder that changed less than that before it was listed may change unnoticed


class Group(NamedTuple):
    """Pictures of one class in one split. count: Their number."""

    split: str
    name: str
    count: int


class Index(NamedTuple):
    """The pictures of a data set, group by group."""

    groups: list[Group]
    paths: Paths

    @property
    def classes(self) -> dict[str, set[str]]:
        """Split -> its classes."""
        found: dict[str, set[str]] = {}
        for group in self.groups:
            found.setdefault(group.split, set()).add(group.name)
        return found

    def places(self, split: str, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Places of the pictures of a split, class by class, (N,) int64, and the labels there, (N,) int64."""
        ends = np.cumsum([group.count for group in self.groups])
        mine = {
            group.name: np.arange(end - group.count, end)
            for group, end in zip(self.groups, ends.tolist(), strict=True)
            if group.split == split
        }
        parts = [mine.get(name, np.arange(0)) for name in classes]
        return np.concatenate(parts), np.repeat(np.arange(len(classes)), [len(part) for part in parts])


def index_of(listing: Listing) -> Index:
    """The index of a listing."""
    groups = [
        Group(split, name, len(paths)) for split, found in listing.items() for name, paths in found.items()
    ]
    classes = [paths for found in listing.values() for paths in found.values()]
    return Index(groups, paths_of([*chain.from_iterable(classes)]))


def index_folder(root: Path, *, labelled: bool) -> Index:
    """Index the pictures of a folder, from the cache if nothing was added, removed or renamed below it.

    Args:
        root: Folder to search.
        labelled: As in `list_pictures`.

    Raises:
        Problem: There are no pictures, or the layout of the folder is not understood.
    """
    subject = f"{root}\0{labelled}".encode(errors="surrogateescape")
    record = cache_folder("index") / f"{hashlib.blake2b(subject, digest_size=8).hexdigest()}.arrays"
    if (known := _known(record)) is not None:
        return known
    started = time.time()
    listing, folders = search(root, labelled=labelled)
    found = index_of(listing)
    marks = [[folder, *_mark(folder)] for folder in folders]
    if max(mark[-1] for mark in marks) < (started - SETTLED) * 1e9:
        facts = {"folders": marks, "groups": found.groups, "folder": found.paths.folder}
        try:
            write_arrays(record, facts, table=found.paths.table)
        except Problem as problem:
            logger.warning("the folder will be listed again next time: %s", problem)
    return found


def _known(record: Path) -> Index | None:
    content = read_arrays(record)
    if content is None:
        return None
    facts, arrays = content
    if any(mark != _mark(folder) for folder, *mark in facts["folders"]):
        return None
    return Index([Group(*group) for group in facts["groups"]], Paths(facts["folder"], arrays["table"]))


def _mark(folder: str) -> list[Any]:
    """What changes when an entry is added to a folder, removed or renamed: even if its time is set back."""
    try:
        found = os.stat(folder)  # noqa: PTH116
    except OSError:
        return []
    return [found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
