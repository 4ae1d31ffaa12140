"""Cache results between runs, outside the data and the folders of runs."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from zlib import crc32

from imagelab.problem import Problem

CHUNK = 2**24  # bytes read at a time
TRAILER = 10  # bytes: the checksum, in its own line
CHECKSUM = "checksum"  # key of the checksum in a record
logger = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """The folder for one kind of cached results, below $IMAGELAB_CACHE or else ~/.cache/imagelab."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(os.environ.get("IMAGELAB_CACHE") or Path(home) / "imagelab").expanduser() / kind


def intact(path: Path) -> bool:
    """Whether a file that `write_atomically` wrote exists and is unchanged."""
    if not path.exists():
        return False
    try:
        left = path.stat().st_size - TRAILER
        found = 0
        with path.open("rb") as file:
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                found = crc32(chunk, found)
                left -= len(chunk)
            whole = file.read() == _trailer(found)
    except OSError:
        whole = False
    if not whole:
        logger.warning("%s is damaged and will be rebuilt", path)
    return whole


def write_record(path: Path, facts: dict[str, Any]) -> None:
    """Write facts as JSON with their checksum, completely or not at all.

    Raises:
        Problem: The folder is not writable, or the disk is full.
    """
    text = json.dumps(facts | {CHECKSUM: _checksum(facts)}).encode()
    with write_atomically(path, len(text), trailer=False) as file:
        file.write(text)


def read_record(path: Path) -> dict[str, Any] | None:
    """Read the facts that `write_record` wrote; None if the file is missing or damaged."""
    if not path.exists():
        return None
    facts: Any = None
    try:
        facts = json.loads(path.read_bytes())
        whole = isinstance(facts, dict) and facts.pop(CHECKSUM, None) == _checksum(facts)
    except (OSError, ValueError):
        facts = None
        whole = False
    if not whole:
        logger.warning("%s is damaged and will be rebuilt", path)
    return facts if whole else None


class Summed:
    """A binary file that computes the CRC-32 of everything written to it.

    Args:
        file: File opened for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.crc = 0

    def write(self, content: bytes) -> int:
        """Write bytes; returns their number."""
        self.crc = crc32(content, self.crc)
        return self.file.write(content)


@contextmanager
def write_atomically(path: Path, size: int, *, trailer: bool = True) -> Iterator[Summed]:
    """Write a file that appears under its name only when it is complete, even if two processes write it.

    Args:
        path: Final path of the file.
        size: Least number of bytes to be written; an error at once if the disk has less left.
        trailer: Whether to append the checksum, for `intact`.

    Raises:
        Problem: The folder is not writable, or the disk is full.
    """
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size:
            raise OSError("not enough space left on the disk")
        scratch = tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False)  # noqa: SIM115
        with scratch:
            summed = Summed(cast(BinaryIO, scratch))
            yield summed
            scratch.write(_trailer(summed.crc) if trailer else b"")
            scratch.flush()
            os.fsync(scratch.fileno())
        Path(scratch.name).replace(path)
    except OSError as error:
        raise Problem(
            f"{path.parent} cannot take a file of {size / 1e6:.1f} MB ({error.strerror or error}): "
            "free some space, or set the environment variable IMAGELAB_CACHE to another folder"
        ) from error
    finally:
        if scratch is not None:
            Path(scratch.name).unlink(missing_ok=True)  # already gone after the rename


def _trailer(crc: int) -> bytes:
    return f"\n{crc:08x}\n".encode()


def _checksum(facts: dict[str, Any]) -> str:
    return f"{crc32(json.dumps(facts).encode()):08x}"
