"""Shrink photos once to the size that training needs, and read them as slices of one uint8 file."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.contracts import Least
from imagelab.data.cache import cache_folder, intact, write_atomically
from imagelab.data.files import Files
from imagelab.data.memory import SPARE, read_sizes
from imagelab.data.packed import Packed
from imagelab.data.parallel import map_in_threads
from imagelab.data.resize import resized, shrunk_size

logger = logging.getLogger(__name__)


class Shrunk:
    """Labelled photos in one file of pixels.

    Args:
        store: File with the pixels of one photo after another, (H, W, 3) each.
        sizes: (N, 2) int32, width and height of each photo in that file, in pixels.
        offsets: (N,) int64, first byte of each photo.
        labels: (N,) int64, index of each photo's class in the source's `classes`.
    """

    def __init__(self, store: Path, sizes: np.ndarray, offsets: np.ndarray, labels: np.ndarray) -> None:
        self.store = store
        self.sizes = sizes
        self.offsets = offsets
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, place: int, least: Least) -> np.ndarray:
        """A copy of the photo at this place, (H, W, 3) uint8; `least` is ignored, the size is fixed."""
        width, height = (int(side) for side in self.sizes[place])
        start = int(self.offsets[place])
        return np.array(self._pixels[start : start + 3 * width * height]).reshape(height, width, 3)

    def select(self, index: np.ndarray) -> "Shrunk":
        """The photos at these places, in this order."""
        return Shrunk(self.store, self.sizes[index], self.offsets[index], self.labels[index])

    def relabel(self, labels: np.ndarray) -> "Shrunk":
        """The same photos with other labels, (N,) int64."""
        return Shrunk(self.store, self.sizes, self.offsets, labels)

    @cached_property
    def _pixels(self) -> np.ndarray:
        return np.memmap(self.store, dtype=np.uint8, mode="r")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the memory map, whose pickle would be a full copy: workers open the file themselves."""
        return {name: value for name, value in self.__dict__.items() if name != "_pixels"}


def shrink_once(files: Files | Packed, *, short: int) -> Shrunk:
    """Shrink all photos, once for all runs.

    Args:
        files: Photos to shrink.
        short: Short side of the result in pixels; smaller photos stay as they are.

    Raises:
        Problem: The disk is full.
    """
    sizes = np.array(
        [shrunk_size(int(w), int(h), short) for w, h in read_sizes(files)], dtype=np.int32
    ).reshape(-1, 2)
    lengths = 3 * sizes.prod(axis=1, dtype=np.int64)
    store = cache_folder("shrunk") / f"{files.key(short, SPARE)}.pixels"
    if not intact(store):
        _shrink_all(files, sizes, short, store)
    return Shrunk(store, sizes, np.cumsum(lengths) - lengths, files.labels)


def _shrink_all(files: Files | Packed, sizes: np.ndarray, short: int, store: Path) -> None:
    def pixels(place: int) -> bytes:
        width, height = (int(side) for side in sizes[place])
        return resized(files.photo(place, SPARE * short), height, width).tobytes()

    size = 3 * int(sizes.prod(axis=1, dtype=np.int64).sum())
    logger.info("shrinking %d photos, once: %.1f GB in %s", len(files), size / 1e9, store)
    with write_atomically(store, size) as file:
        for photo in map_in_threads(pixels, range(len(files))):
            file.write(photo)
