"""Hold labelled pictures in files, decoded when they are requested."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagelab.contracts import Least
from imagelab.data.decode import MOST_PIXELS, decode
from imagelab.data.paths import Paths, paths_of


class Files:
    """Pictures of any size and kind, each in its own file.

    Args:
        paths: Paths of the N files.
        labels: (N,) int64, index of each picture's class in the source's `classes`; or as in
            `contracts.Images`.
        sizes: (N, 2) int32, width and height in pixels, upright; None if not known yet.
        max_pixels: Largest number of pixels of a picture; see `decode`.
        stamps: (N, 2) int64, bytes and time of the last change in ns of each file; None: looked up.
    """

    def __init__(
        self,
        paths: Sequence[str] | Sequence[Path] | np.ndarray | Paths,
        labels: np.ndarray,
        sizes: np.ndarray | None = None,
        max_pixels: int = MOST_PIXELS,
        stamps: np.ndarray | None = None,
    ) -> None:
        # Arrays, not N objects: their reference counts would copy their memory into every worker.
        self.paths = paths_of(paths)
        self.stamps = stamps
        self.labels = labels
        self.sizes = sizes
        self.max_pixels = max_pixels
        if len(self.paths) != len(labels):
            raise ValueError(f"each path needs a label, got {len(labels)} labels for {len(self.paths)} paths")

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, place: int, least: Least) -> np.ndarray:
        """The picture at this place, (H, W, 3) uint8, upright.

        Args:
            place: Index of the picture, from 0 to N - 1.
            least: Smallest short side still needed, in pixels; see `decode`.
        """
        return decode(self.paths[place], least, self.max_pixels)

    def select(self, index: np.ndarray) -> "Files":
        """The pictures at these places, in this order."""
        sizes, stamps = (None if one is None else one[index] for one in (self.sizes, self.stamps))
        return Files(self.paths[index], self.labels[index], sizes, self.max_pixels, stamps)

    def relabel(self, labels: np.ndarray) -> "Files":
        """The same pictures with other labels."""
        return Files(self.paths, labels, self.sizes, self.max_pixels, self.stamps)

    def key(self, *facts: object) -> str:
        """A short hash of the files (path, size, time of last change) and of how they are processed."""
        digest = hashlib.blake2b(repr((*facts, self.paths.folder)).encode(errors="replace"), digest_size=16)
        table = self.paths.table
        width = int(np.strings.str_len(table).max(initial=1))
        digest.update(np.ascontiguousarray(table, dtype=f"S{width}").data)
        stamps = self.paths.stamps() if self.stamps is None else self.stamps
        digest.update(np.ascontiguousarray(stamps).data)
        return digest.hexdigest()
