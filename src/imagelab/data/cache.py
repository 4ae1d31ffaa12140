"""Where what was worked out once is kept for the next run: outside of the data and of the runs' folders."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from zlib import crc32

from imagelab.problem import Problem

CHUNK = 2**24  # bytes read at a time
TRAILER = 10  # bytes: the checksum in a line of its own
CHECKSUM = "checksum"  # its key in a record
logger = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """The folder for one kind of remembered things, below $IMAGELAB_CACHE or else ~/.cache/imagelab."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(os.environ.get("IMAGELAB_CACHE") or Path(home) / "imagelab").expanduser() / kind


def content_key(paths: Iterable[str], *facts: object) -> str:
    """A short name for what files hold (path, size, time of last change) and what is made of it."""
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=16)
    for path in paths:
        found = os.stat(path)  # noqa: PTH116 - a Path object for each of 60,000 files costs more than the call
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def intact(path: Path) -> bool:
    """Whether a file that `whole_file` wrote is there and has every byte as it was written."""
    if not path.exists():
        return False
    try:
        left, found = path.stat().st_size - TRAILER, 0
        with path.open("rb") as file:
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                found = crc32(chunk, found)
                left -= len(chunk)
            whole = file.read() == _trailer(found)
    except OSError:
        whole = False
    if not whole:
        logger.warning("%s is damaged: it is made again", path)
    return whole


def write_record(path: Path, facts: dict[str, Any]) -> None:
    """Write facts as JSON with their checksum, whole or not at all.

    Raises:
        Problem: The folder cannot be written, or the disk is full.
    """
    text = json.dumps(facts | {CHECKSUM: _checksum(facts)}).encode()
    with whole_file(path, len(text), trailer=False) as file:
        file.write(text)


def read_record(path: Path) -> dict[str, Any] | None:
    """The facts that `write_record` wrote; None if there are none, or they are damaged."""
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_bytes())
        whole = isinstance(facts, dict) and facts.pop(CHECKSUM, None) == _checksum(facts)
    except (OSError, ValueError):
        facts = None
        whole = False
    if not whole:
        logger.warning("%s is damaged: it is made again", path)
    return facts if whole else None


class Summed:
    """A binary file that keeps the CRC-32 of all that is written.

    Args:
        file: Open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.crc = file, 0

    def write(self, content: bytes) -> int:
        """Write bytes; their number."""
        self.crc = crc32(content, self.crc)
        return self.file.write(content)


@contextmanager
def whole_file(path: Path, size: int, *, trailer: bool = True) -> Iterator[Summed]:
    """Write a file that appears under its name only when it is complete, also when two processes write it.

    Args:
        path: Its name.
        size: Bytes that will be written at least; refused at once where the disk has less left.
        trailer: Whether the file ends in its checksum, for `intact`.

    Raises:
        Problem: The folder cannot be written, or the disk is full.
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
            "free some space, or name another folder by the environment variable IMAGELAB_CACHE"
        ) from error
    finally:
        if scratch is not None:
            Path(scratch.name).unlink(missing_ok=True)  # after the rename there is none


def _trailer(crc: int) -> bytes:
    return f"\n{crc:08x}\n".encode()


def _checksum(facts: dict[str, Any]) -> str:
    return f"{crc32(json.dumps(facts).encode()):08x}"
