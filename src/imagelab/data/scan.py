"""Check once that every picture decodes; cache the result and the sizes for the next run."""

import hashlib
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from imagelab.data.array_record import read_arrays, write_arrays
from imagelab.data.cache import cache_folder, write_record
from imagelab.data.decode import Unreadable, Verified, verify
from imagelab.data.parallel import map_in_threads
from imagelab.data.paths import Paths, paths_of
from imagelab.problem import Problem, some_of
from imagelab.terminal import screen

logger = logging.getLogger(__name__)

UNREADABLE = 0  # the content of files that cannot be read


class Scan(NamedTuple):
    """The result of checking N files.

    sizes: (N, 2) int32, width and height in pixels, upright; 0 for unreadable files.
    stamps: (N, 2) int64, bytes and time of the last change in ns.
    contents: (N,) uint64, a hash of the bytes of each file; UNREADABLE for those that cannot be read.
    faults: Path of each unreadable file -> what is wrong with it. record: File that lists them.
    """

    sizes: np.ndarray
    stamps: np.ndarray
    contents: np.ndarray
    faults: dict[str, str]
    record: Path

    @property
    def readable(self) -> np.ndarray:
        """(N,) bool."""
        return self.sizes[:, 0] > 0


def scan(paths: Paths | Sequence[str], subject: str, max_pixels: int) -> Scan:
    """Check every file that is new, has changed or was unreadable in the last scan of the same subject.

    Args:
        paths: Paths of the files.
        subject: Name of the collection, such as its folder.
        max_pixels: Largest number of pixels of a picture; one that was read before may be larger now.
    """
    paths = paths_of(paths)
    name = hashlib.blake2b(subject.encode(errors="replace"), digest_size=8).hexdigest()
    store = cache_folder("scan") / f"{name}.arrays"
    stamps = paths.stamps()
    sizes = np.zeros((len(paths), 2), dtype=np.int32)
    contents = np.zeros(len(paths), dtype=np.uint64)
    same = _recall(store, paths, stamps, {"sizes": sizes, "contents": contents})
    sizes[sizes.prod(axis=1, dtype=np.int64) > max_pixels] = 0
    fresh = np.flatnonzero(sizes[:, 0] == 0)
    if len(fresh):
        screen.wait(f"checking {len(fresh):,} pictures of {subject}, once")
    faults: dict[str, str] = {}
    check = partial(_check, max_pixels=max_pixels)
    for place, result in zip(fresh.tolist(), map_in_threads(check, paths[fresh]), strict=True):
        if isinstance(result, str):
            faults[paths[place]] = result
        else:
            *sizes[place], contents[place] = result
    found = Scan(sizes, stamps, contents, dict(sorted(faults.items())), store.with_suffix(".json"))
    if len(fresh) or not same:
        _save(store, subject, paths, found)
    return found


def refuse_or_skip(found: Scan, count: int, on_bad_image: Literal["error", "skip"]) -> None:
    """Report all unreadable pictures among `count`.

    Raises:
        Problem: Some pictures are unreadable, and `on_bad_image` is "error".
    """
    if not found.faults:
        return
    listing = some_of([f"{path}: {reason}" for path, reason in found.faults.items()], between="\n  ")
    listing += f"\n(full list: {found.record})"
    if on_bad_image == "error":
        raise Problem(
            f"{len(found.faults)} of {count} pictures cannot be read: fix or remove them, or leave them out "
            f"with data.on_bad_image=skip\n  {listing}"
        )
    logger.warning("left out %d of %d pictures that cannot be read:\n  %s", len(found.faults), count, listing)


def _check(path: str, max_pixels: int) -> Verified | str:
    """What a picture is, or why it cannot be read."""
    try:
        return verify(path, max_pixels)
    except Unreadable as error:
        return str(error).removeprefix(f"{path}: ")


def _recall(store: Path, paths: Paths, stamps: np.ndarray, facts_of: dict[str, np.ndarray]) -> bool:
    """Fill in facts of files that are as they were; whether the last scan was of these very files."""
    content = read_arrays(store)
    if content is None or not facts_of.keys() <= content[1].keys():
        return False
    facts, arrays = content
    before = Paths(facts["folder"], arrays["table"])
    if before.folder == paths.folder and np.array_equal(before.table, paths.table):
        known, places = np.arange(len(paths)), np.arange(len(paths))
    else:
        known, places = _in_both(before, paths)
    unchanged = (arrays["stamps"][known] == stamps[places]).all(axis=1)
    for name, values in facts_of.items():
        values[places[unchanged]] = arrays[name][known[unchanged]]
    return bool(unchanged.all()) and len(before) == len(paths) == len(places)


def _in_both(before: Paths, now: Paths) -> tuple[np.ndarray, np.ndarray]:
    """Places of the files of both tables, in the first and in the second."""
    same = before.folder == now.folder
    tables = [paths.table if same else _whole(paths) for paths in (before, now)]
    _, known, places = np.intersect1d(*tables, assume_unique=True, return_indices=True)
    return known, places


def _whole(paths: Paths) -> np.ndarray:
    return np.strings.add(os.fsencode(paths.folder), paths.table)


def _save(store: Path, subject: str, paths: Paths, found: Scan) -> None:
    try:
        facts = {"subject": subject, "folder": paths.folder}
        arrays = {"stamps": found.stamps, "sizes": found.sizes, "contents": found.contents}
        write_arrays(store, facts, table=paths.table, **arrays)
        write_record(found.record, {"subject": subject, "unreadable": found.faults})
    except Problem as problem:
        logger.warning("the pictures will be checked again next time: %s", problem)
