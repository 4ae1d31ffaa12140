"""Decode pictures once and keep them as uint8: the next run maps the decoded file into memory."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch

from imagelab.data.arrays import Arrays
from imagelab.data.cache import cache_folder, intact, write_atomically
from imagelab.data.decode import verify
from imagelab.data.files import Files
from imagelab.data.packed import Packed
from imagelab.data.parallel import map_in_threads
from imagelab.data.resize import covered
from imagelab.problem import Problem

logger = logging.getLogger(__name__)

SMALL = 96  # pixels: below this, decoding takes longer than everything else
ROOM = 4 * 2**30  # bytes
SPARE = 2  # decode at twice the stored size: this happens once, so quality matters more than speed


def fits_in_memory(files: Files | Packed) -> bool:
    """Whether all pictures have the same small size and take at most 4 GiB together."""
    sizes = read_sizes(files)
    return bool(
        (sizes == sizes[0]).all()
        and sizes.max() <= SMALL
        and 3 * int(sizes.prod(axis=1, dtype=np.int64).sum()) <= ROOM
    )


def decode_once(files: Files | Packed, *, size: int | None) -> Arrays:
    """Decode all pictures, once for all runs, to (N, 3, H, W).

    Args:
        files: Pictures to decode.
        size: Side in pixels of the square that pictures are resized and centre-cropped to if they are larger
            or differ in size. None: all pictures have one size, and keep it.

    Raises:
        Problem: The pictures differ in size and `size` is None, or the disk is full.
    """
    height, width = _shape(read_sizes(files), size)
    store = cache_folder("memory") / f"{files.key(height, width, SPARE)}.npy"
    if not intact(store):
        _decode_all(files, height, width, store)
    # "c": torch wants a writable array; processes share the pages until one writes.
    return Arrays(torch.from_numpy(np.load(store, mmap_mode="c")), files.labels, store.stem)


def read_sizes(files: Files | Packed) -> np.ndarray:
    """Width and height of each picture in pixels, upright: (N, 2) int32."""
    if files.sizes is not None:
        return files.sizes
    assert isinstance(files, Files)
    found = map_in_threads(lambda path: verify(path, files.max_pixels)[:2], files.paths)
    return np.array(list(found), dtype=np.int32).reshape(-1, 2)


def _shape(sizes: np.ndarray, size: int | None) -> tuple[int, int]:
    width, height = (int(side) for side in sizes[0])
    same = bool((sizes == sizes[0]).all())
    if same and (size is None or min(width, height) <= size):
        return height, width
    if size is None:
        raise Problem(
            f"data.storage: pictures of different sizes ({_words(sizes.min(axis=0))} to "
            f"{_words(sizes.max(axis=0))} pixels) do not fit into one array; set data.size=SIDE or "
            "data.storage=files"
        )
    return size, size


def _decode_all(files: Files | Packed, height: int, width: int, store: Path) -> None:
    shape = (len(files), 3, height, width)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    logger.info("decoding %d pictures, once: %.1f GB in %s", len(files), np.prod(shape) / 1e9, store)
    with write_atomically(store, int(np.prod(shape))) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for pixels in map_in_threads(partial(_pixels, files, height=height, width=width), range(len(files))):
            file.write(pixels)


def _pixels(files: Files | Packed, place: int, height: int, width: int) -> bytes:
    photo = files.photo(place, SPARE * min(height, width))
    return covered(photo, height, width).transpose(2, 0, 1).tobytes()


def _words(size: np.ndarray) -> str:
    return f"{size[0]} x {size[1]}"
