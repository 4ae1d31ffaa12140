"""Check once that every picture decodes; cache the result and the sizes for the next run."""

import hashlib
import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from imagelab.data.cache import cache_folder, read_record, write_record
from imagelab.data.decode import Unreadable, verify
from imagelab.data.parallel import map_in_threads
from imagelab.problem import Problem, some_of

logger = logging.getLogger(__name__)


class Scan(NamedTuple):
    """The result of checking N files.

    sizes: (N, 2) int32, width and height in pixels, upright; 0 for unreadable files.
    faults: Path of each unreadable file -> what is wrong with it. record: Cache file of the result.
    """

    sizes: np.ndarray
    faults: dict[str, str]
    record: Path


def scan(paths: Sequence[str], subject: str, max_pixels: int) -> Scan:
    """Check every file that is new, has changed or was unreadable in the last scan of the same subject.

    Args:
        paths: Paths of the files.
        subject: Name of the collection, such as its folder.
        max_pixels: Largest number of pixels of a picture; one that was read before may be larger now.
    """
    name = hashlib.blake2b(subject.encode(errors="replace"), digest_size=8).hexdigest()
    record = cache_folder("scan") / f"{name}.json"
    before = _known_files(record)
    stamps = {path: _stamp(path) for path in paths}
    fresh = [path for path in paths if not _is_known(before["files"].get(path, []), stamps[path], max_pixels)]
    if fresh:
        logger.info("checking %d pictures of %s, once", len(fresh), subject)
    results = dict(zip(fresh, map_in_threads(partial(_check, max_pixels=max_pixels), fresh), strict=True))
    faults = {path: result for path, result in sorted(results.items()) if isinstance(result, str)}
    files = {
        path: [*stamps[path], *results[path]] if path in results else before["files"][path]
        for path in paths
        if path not in faults
    }
    now = {"subject": subject, "unreadable": faults, "files": files}
    if now != before:
        _save(record, now)
    sizes = [files[path][2:] if path in files else [0, 0] for path in paths]
    return Scan(np.array(sizes, dtype=np.int32).reshape(-1, 2), faults, record)


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


def _stamp(path: str) -> list[int]:
    """Bytes and time of the last change in ns: whether a file is still the one that was checked."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path object for each of 60,000 files costs more than the call
    except OSError:
        return [0, 0]  # decoding will report why
    return [found.st_size, found.st_mtime_ns]


def _check(path: str, max_pixels: int) -> tuple[int, int] | str:
    """Width and height of a picture, or why it cannot be read."""
    try:
        return verify(path, max_pixels)
    except Unreadable as error:
        return str(error).removeprefix(f"{path}: ")


def _is_known(entry: list[int], stamp: list[int], max_pixels: int) -> bool:
    """Whether a file is as it was, and surely small enough."""
    return entry[:2] == stamp and entry[2] * entry[3] <= max_pixels


def _known_files(record: Path) -> dict[str, Any]:
    content = read_record(record)  # None: never checked, or the record is damaged; check again
    return content if isinstance(content, dict) and isinstance(content.get("files"), dict) else {"files": {}}


def _save(record: Path, content: dict[str, Any]) -> None:
    try:
        write_record(record, content)
    except Problem as problem:
        logger.warning("the pictures will be checked again next time: %s", problem)
