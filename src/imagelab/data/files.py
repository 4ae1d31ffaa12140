"""Hold labelled pictures in files, decoded when they are requested."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagelab.contracts import Least
from imagelab.data.content import digest
from imagelab.data.decode import MOST_PIXELS, decode, read_file
from imagelab.data.parallel import map_in_threads
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
        contents: (N,) uint64, a hash of each file's bytes; None: computed when needed.
        groups: (N,) uint64, the number of each file's group, which stays on one side; None: no groups.
    """

    def __init__(
        self,
        paths: Sequence[str] | Sequence[Path] | np.ndarray | Paths,
        labels: np.ndarray,
        sizes: np.ndarray | None = None,
        max_pixels: int = MOST_PIXELS,
        stamps: np.ndarray | None = None,
        contents: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        # Arrays, not N objects: their reference counts would copy their memory into every worker.
        self.paths = paths_of(paths)
        self.stamps = stamps
        self.labels = labels
        self.sizes = sizes
        self.max_pixels = max_pixels
        self._contents = contents
        self.groups = groups
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

    def contents(self) -> np.ndarray:
        """A hash of the bytes of each file, (N,) uint64."""
        if self._contents is None:
            found = map_in_threads(lambda path: digest(read_file(path)), self.paths)
            self._contents = np.fromiter(found, np.uint64, len(self))
        return self._contents

    def select(self, index: np.ndarray) -> "Files":
        """The pictures at these places, in this order."""
        facts = self.sizes, self.stamps, self._contents, self.groups
        sizes, *more = (None if fact is None else fact[index] for fact in facts)
        return Files(self.paths[index], self.labels[index], sizes, self.max_pixels, *more)

    def relabel(self, labels: np.ndarray) -> "Files":
        """The same pictures with other labels."""
        more = self.stamps, self._contents, self.groups
        return Files(self.paths, labels, self.sizes, self.max_pixels, *more)

    def key(self, *facts: object) -> str:
        """A short hash of the files (path, size, time of last change) and of how they are processed."""
        digest = hashlib.blake2b(repr((*facts, self.paths.folder)).encode(errors="replace"), digest_size=16)
        table = self.paths.table
        width = int(np.strings.str_len(table).max(initial=1))
        digest.update(np.ascontiguousarray(table, dtype=f"S{width}").data)
        stamps = self.paths.stamps() if self.stamps is None else self.stamps
        digest.update(np.ascontiguousarray(stamps).data)
        return digest.hexdigest()
