"""Check once that every picture decodes; remember the answer and the pictures' sizes for the next time."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from imagelab.data.cache import cache_folder, read_record, write_record
from imagelab.data.decode import Unreadable, verify
from imagelab.data.parallel import each
from imagelab.problem import Problem, some_of

logger = logging.getLogger(__name__)


class Scan(NamedTuple):
    """What is known of N files.

    sizes: (N, 2) int32, width and height in pixels, upright; 0 for unreadable ones.
    faults: What is wrong with each unreadable one, by its path. record: The file in which this is remembered.
    """

    sizes: np.ndarray
    faults: dict[str, str]
    record: Path


def scan(paths: Sequence[str], subject: str) -> Scan:
    """Look at every file that is new, has changed or was unreadable since the last scan of the same subject.

    Args:
        paths: The files.
        subject: What the files are the files of, such as their folder.
    """
    name = hashlib.blake2b(subject.encode(errors="replace"), digest_size=8).hexdigest()
    record = cache_folder("scan") / f"{name}.json"
    before = _remembered(record)
    stamps = {path: _stamp(path) for path in paths}
    fresh = [path for path in paths if before["files"].get(path, [])[:2] != stamps[path]]
    if fresh:
        logger.info("checking %d pictures of %s, once", len(fresh), subject)
    looks = dict(zip(fresh, each(_look, fresh), strict=True))
    faults = {path: look for path, look in sorted(looks.items()) if isinstance(look, str)}
    files = {
        path: [*stamps[path], *looks[path]] if path in looks else before["files"][path]
        for path in paths
        if path not in faults
    }
    now = {"subject": subject, "unreadable": faults, "files": files}
    if now != before:
        _remember(record, now)
    sizes = [files[path][2:] if path in files else [0, 0] for path in paths]
    return Scan(np.array(sizes, dtype=np.int32).reshape(-1, 2), faults, record)


def refuse_or_skip(found: Scan, count: int, on_bad_image: Literal["error", "skip"]) -> None:
    """Tell of all unreadable pictures among `count`.

    Raises:
        Problem: There are some, and `on_bad_image` is "error".
    """
    if not found.faults:
        return
    told = some_of([f"{path}: {reason}" for path, reason in found.faults.items()], between="\n  ")
    told += f"\n(the whole list: {found.record})"
    if on_bad_image == "error":
        raise Problem(
            f"{len(found.faults)} of {count} pictures cannot be read: mend or remove them, or leave them out "
            f"with data.on_bad_image=skip\n  {told}"
        )
    logger.warning("left out %d of %d pictures that cannot be read:\n  %s", len(found.faults), count, told)


def _stamp(path: str) -> list[int]:
    """Bytes and time of the last change in ns: what shows that a file is the one that was looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path object for each of 60,000 files costs more than the call
    except OSError:
        return [0, 0]  # decoding will say why
    return [found.st_size, found.st_mtime_ns]


def _look(path: str) -> tuple[int, int] | str:
    try:
        return verify(path)
    except Unreadable as error:
        return str(error).removeprefix(f"{path}: ")


def _remembered(record: Path) -> dict[str, Any]:
    told = read_record(record)  # None: never looked, or the record is damaged: look again
    return told if isinstance(told, dict) and isinstance(told.get("files"), dict) else {"files": {}}


def _remember(record: Path, told: dict[str, Any]) -> None:
    try:
        write_record(record, told)
    except Problem as problem:
        logger.warning("the pictures will be checked again next time: %s", problem)
