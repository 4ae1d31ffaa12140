"""Pictures decoded once, then kept as uint8: the second run maps the decoded file into its memory."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.cache import cache_folder, content_key, intact, whole_file
from imagelab.data.decode import decode, verify
from imagelab.data.files import Files
from imagelab.data.parallel import each
from imagelab.data.resize import covered
from imagelab.problem import Problem

logger = logging.getLogger(__name__)

SMALL = 96  # pixels: below, decoding takes longer than everything else
ROOM = 4 * 2**30  # bytes
SPARE = 2  # decode at twice the size that is kept: this is done once, so quality goes before speed


def fits_in_memory(files: Files) -> bool:
    """Whether all pictures have one small size and together take no more than 4 GiB."""
    sizes = measured(files)
    return bool(
        (sizes == sizes[0]).all()
        and sizes.max() <= SMALL
        and 3 * int(sizes.prod(axis=1, dtype=np.int64).sum()) <= ROOM
    )


def in_memory(files: Files, *, size: int | None) -> Arrays:
    """Decode all pictures, once for all runs, to (N, 3, H, W).

    Args:
        files: What to decode.
        size: Side in pixels of the square that larger pictures, or pictures of different sizes, are brought
            to: short side resized, centre cut out. None: they all have one size, and keep it.

    Raises:
        Problem: They differ in size and none is given, or the disk is full.
    """
    height, width = _shape(measured(files), size)
    store = cache_folder("memory") / f"{content_key(files.paths, height, width, SPARE)}.npy"
    if not intact(store):
        _decode_all(files, height, width, store)
    # "c": torch wants an array it may write to; processes share the pages as long as none does.
    return Arrays(torch.from_numpy(np.load(store, mmap_mode="c")), files.labels)


def measured(files: Files) -> np.ndarray:
    """(N, 2) int32, width and height of each picture in pixels, upright."""
    if files.sizes is not None:
        return files.sizes
    return np.array(list(each(verify, files.paths)), dtype=np.int32).reshape(-1, 2)


def _shape(sizes: np.ndarray, size: int | None) -> tuple[int, int]:
    width, height = (int(side) for side in sizes[0])
    same = bool((sizes == sizes[0]).all())
    if same and (size is None or min(width, height) <= size):
        return height, width
    if size is None:
        raise Problem(
            f"pictures of different sizes ({_told(sizes.min(axis=0))} to {_told(sizes.max(axis=0))} pixels) "
            "cannot be kept in one array: give data.size=SIDE, or choose data.storage=files"
        )
    return size, size


def _decode_all(files: Files, height: int, width: int, store: Path) -> None:
    shape = (len(files), 3, height, width)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    logger.info("decoding %d pictures, once: %.1f GB in %s", len(files), np.prod(shape) / 1e9, store)
    with whole_file(store, int(np.prod(shape))) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for pixels in each(partial(_pixels, height=height, width=width), files.paths):
            file.write(pixels)


def _pixels(path: str, height: int, width: int) -> bytes:
    return covered(decode(path, SPARE * min(height, width)), height, width).transpose(2, 0, 1).tobytes()


def _told(size: np.ndarray) -> str:
    return f"{size[0]} x {size[1]}"
