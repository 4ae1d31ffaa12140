"""Write checkpoints so that they survive a kill (temporary file, sync, rename); check them before reading.

Source: the write order of Pillai et al. 2014, "All File Systems Are Not Created Equal", section 4.
"""

import errno
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import distributed

from imagelab.checkpoints import shards
from imagelab.problem import Problem

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"


class DurableCheckpoints(TorchCheckpointIO):
    """Lightning writes and reads checkpoints through this."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_durably(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        return read_for_all(Path(path))


def read_for_all(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the first rank and send it to the others, whose machines need not see the file.

    Raises:
        Problem: There is none, or it is damaged; on every rank.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return read(path)
    content: list[Any] = [None, None]
    if distributed.get_rank() == 0:
        try:
            content[0] = read(path)
        except Problem as problem:
            content[1] = str(problem)
    distributed.broadcast_object_list(content)
    if content[1]:
        raise Problem(content[1])
    return content[0]


def write_durably(path: Path, write: Callable[[Any], None]) -> None:
    """Write a file so that a kill or a full disk at any moment leaves the whole old one or the whole new one.

    Args:
        path: Path of the file.
        write: Function that writes the content to an open binary file.

    Raises:
        Problem: The disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        beside.unlink(missing_ok=True)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or isinstance(
            error, RuntimeError
        )
        reason = "the disk is full, or a limit on file sizes is reached" if full else str(error)
        raise Problem(f"{path} cannot be written: {reason}. The previous file is intact.") from error
    _sync_folder(path.parent)


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file as `write_durably` writes one."""
    with source.open("rb") as whole:
        write_durably(target, lambda file: shutil.copyfileobj(whole, file))


def read(path: Path) -> dict[str, Any]:
    """Read the plain data of an intact checkpoint, onto the CPU.

    Raises:
        Problem: There is none, or it is damaged.
    """
    damage = damage_of(path)
    if damage:
        raise Problem(damage)
    return load_plain(path)


def load_plain(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The plain data of a checkpoint file, on the CPU; nothing in it is called.

    Args:
        path: The file.
        mmap: Whether tensors stay on disk until they are used.

    Raises:
        Problem: It holds objects that would have to be called.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise Problem(
            f"The checkpoint {path} holds more than plain data and could run any code, so it is not loaded. "
            "Only checkpoints that this project wrote can be used."
        ) from error


def damage_of(path: Path) -> str | None:
    """What is wrong with a checkpoint file, as a sentence; None if every byte is as written."""
    if not path.is_file():
        return f"There is no checkpoint {path}."
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is None:
            content = load_plain(path, mmap=True)  # the archive's directory has no checksum
            return shards.damage_in(path, content)
    except Problem as problem:
        return str(problem)
    except Exception as error:  # zipfile and torch report damage in many ways
        return f"The checkpoint {path} is damaged or cut off ({' '.join(str(error).split())})."
    return f"The checkpoint {path} is damaged (checksum of {broken})." if broken else None


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files of writers that were killed."""
    for file in folder.glob(".*.tmp"):
        file.unlink(missing_ok=True)


def remove_unused_shards(folder: Path) -> None:
    """Remove the parts that neither the last checkpoint nor the one before lists."""
    known = [load_plain(folder / name, mmap=True) for name in (LAST, PREVIOUS) if (folder / name).exists()]
    shards.remove_all_but(folder, known)


def last_good(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest whole checkpoint of a folder, and a sentence on each damaged one that was skipped."""
    passed = []
    for name in (LAST, PREVIOUS):
        damage = damage_of(folder / name)
        if damage is None:
            return folder / name, passed
        if (folder / name).exists():
            passed.append(damage)
    return None, passed


def keep_previous(folder: Path) -> None:
    """Link the last checkpoint as the previous one before a new one replaces it; last.ckpt always exists."""
    last, spare = folder / LAST, folder / f".{PREVIOUS}.tmp"
    if last.exists():
        spare.unlink(missing_ok=True)
        try:
            os.link(last, spare)
        except OSError:  # a file system without hard links
            copy_durably(last, spare)
        spare.replace(folder / PREVIOUS)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
