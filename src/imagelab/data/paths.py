"""Hold the paths of many files in one table: objects would take ten times the memory, in each worker."""

import os
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import overload

import numpy as np


class Paths(Sequence[str]):
    """Paths of N files below a common folder.

    Args:
        folder: Common folder, with a separator at its end; or "".
        table: (N,) bytes, the rest of each path.
    """

    def __init__(self, folder: str, table: np.ndarray) -> None:
        self.folder = folder
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice | np.ndarray) -> "Paths": ...
    def __getitem__(self, place: int | slice | np.ndarray) -> "str | Paths":
        if isinstance(place, slice | np.ndarray):
            return Paths(self.folder, self.table[place])
        return self.folder + os.fsdecode(bytes(self.table[place]))

    def __iter__(self) -> Iterator[str]:
        return (self.folder + os.fsdecode(name) for name in self.table.tolist())

    def tolist(self) -> list[str]:
        """All paths."""
        return list(self)

    def stamps(self) -> np.ndarray:
        """Bytes and time of the last change in ns of each file, (N, 2) int64; 0 where there is none."""
        return np.fromiter(self._stamps(), np.int64, 2 * len(self)).reshape(-1, 2)

    def _stamps(self) -> Iterator[int]:
        folder = os.fsencode(self.folder)
        for name in self.table.tolist():
            try:
                found = os.stat(folder + name)  # noqa: PTH116 - a Path object costs more than the call
            except OSError:
                yield from (0, 0)
            else:
                yield found.st_size
                yield found.st_mtime_ns


def paths_of(paths: Sequence[str] | Sequence[Path] | np.ndarray | Paths) -> Paths:
    """Store paths in one table, in the given order.

    >>> found = paths_of(["/a/b/1.png", "/a/b/c/22.png"])
    >>> found.folder, found.table.tolist(), found[1]
    ('/a/b/', [b'1.png', b'c/22.png'], '/a/b/c/22.png')
    """
    if isinstance(paths, Paths):
        return paths
    names = [os.fspath(path) for path in paths]
    # The first and the last path in alphabetical order share what all paths share.
    pairs = zip(min(names), max(names), strict=False) if names else ()
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    folder = shared[: shared.rfind(os.sep) + 1]
    table = np.array([os.fsencode(name)[len(os.fsencode(folder)) :] for name in names], dtype=np.bytes_)
    return Paths(folder, table.reshape(-1))


def joined_paths(parts: Sequence[Paths]) -> Paths:
    """The paths of several tables, one after the other."""
    if len({part.folder for part in parts}) == 1:
        return Paths(parts[0].folder, np.concatenate([part.table for part in parts]))
    return paths_of([path for part in parts for path in part])
