"""Where what was worked out once is kept for the next run: outside of the data and of the runs' folders."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from imagelab.problem import Problem


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


@contextmanager
def whole_file(path: Path, size: int) -> Iterator[BinaryIO]:
    """Write a file that appears under its name only when it is complete, also when two processes write it.

    Args:
        path: Its name.
        size: Bytes that will be written at least; refused at once where the disk has less left.

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
            yield cast(BinaryIO, scratch)
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
