"""Hold labelled pictures in files, decoded when they are requested."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagelab.data.decode import MOST_PIXELS, decode


class Files:
    """Pictures of any size and kind, each in its own file.

    Args:
        paths: Paths of the N files.
        labels: (N,) int64, index of each picture's class in the source's `classes`.
        sizes: (N, 2) int32, width and height in pixels, upright; None if not known yet.
        max_pixels: Largest number of pixels of a picture; see `decode`.
    """

    def __init__(
        self,
        paths: Sequence[str] | Sequence[Path] | np.ndarray,
        labels: np.ndarray,
        sizes: np.ndarray | None = None,
        max_pixels: int = MOST_PIXELS,
    ) -> None:
        # One array, not N objects: their reference counts would copy their memory into every worker.
        self.paths = (
            paths
            if isinstance(paths, np.ndarray)
            else np.array([os.fspath(path) for path in paths], dtype=np.str_)
        )
        self.labels = labels
        self.sizes = sizes
        self.max_pixels = max_pixels
        if len(self.paths) != len(labels):
            raise ValueError(f"each path needs a label, got {len(labels)} labels for {len(self.paths)} paths")

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, place: int, least: int | None) -> np.ndarray:
        """The picture at this place, (H, W, 3) uint8, upright.

        Args:
            place: Index of the picture, from 0 to N - 1.
            least: Smallest short side still needed, in pixels; see `decode`.
        """
        return decode(self.paths[place], least, self.max_pixels)

    def select(self, index: np.ndarray) -> "Files":
        """The pictures at these places, in this order."""
        sizes = None if self.sizes is None else self.sizes[index]
        return Files(self.paths[index], self.labels[index], sizes, self.max_pixels)

    def relabel(self, labels: np.ndarray) -> "Files":
        """The same pictures with other labels, (N,) int64."""
        return Files(self.paths, labels, self.sizes, self.max_pixels)
