"""Hold labelled pictures that lie one after another in a few files, read in place and verified when read."""

import hashlib
import mmap
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np

from imagelab.contracts import Least
from imagelab.data.content import digest
from imagelab.data.decode import decode_bytes
from imagelab.data.parallel import map_in_threads
from imagelab.problem import Problem


class Packed:
    """Encoded pictures of any size and kind in shards.

    Args:
        shards: Paths of the files.
        table: (N, 4) int64: the shard of each picture, its first byte, its length, and its CRC-32 or -1.
        labels: Labels as in `contracts.Images`, such as (N,) int64: index of each picture's class.
        sizes: (N, 2) int32, width and height in pixels, upright.
        max_pixels: Largest number of pixels of a picture; see `decode`.
        contents: (N,) uint64, a hash of each picture's bytes; None: computed when needed.
    """

    def __init__(
        self,
        shards: Sequence[str],
        table: np.ndarray,
        labels: np.ndarray,
        sizes: np.ndarray,
        max_pixels: int,
        contents: np.ndarray | None = None,
    ) -> None:
        self.shards = list(shards)
        self.table = table
        self.labels = labels
        self.sizes = sizes
        self.max_pixels = max_pixels
        self._contents = contents

    def __len__(self) -> int:
        return len(self.labels)

    def encoded(self, place: int) -> bytes:
        """The bytes of the picture at this place.

        Raises:
            Problem: The shard is damaged.
        """
        shard, first, length, check = self.table[place].tolist()
        data = self._maps[shard][first : first + length]
        if len(data) != length or (check >= 0 and crc32(data) != check):
            raise Problem(
                f"{self.shards[shard]} is damaged: bytes {first} to {first + length} have changed; "
                "make it again, or copy it again"
            )
        return data

    def photo(self, place: int, least: Least) -> np.ndarray:
        """The picture at this place, (H, W, 3) uint8, upright; `least`: see `decode`.

        Raises:
            Problem: The shard is damaged, or the picture cannot be read.
        """
        return decode_bytes(self.encoded(place), self.name(place), least, self.max_pixels)[0]

    def name(self, place: int) -> str:
        """The name of a picture in messages: its shard, and its first byte there."""
        shard, first, *_ = self.table[place].tolist()
        return f"{self.shards[shard]} at byte {first}"

    def contents(self) -> np.ndarray:
        """A hash of the bytes of each picture, (N,) uint64."""
        if self._contents is None:
            found = map_in_threads(lambda place: digest(self.encoded(place)), range(len(self)))
            self._contents = np.fromiter(found, np.uint64, len(self))
        return self._contents

    def select(self, index: np.ndarray) -> "Packed":
        """The pictures at these places, in this order."""
        contents = None if self._contents is None else self._contents[index]
        facts = self.table[index], self.labels[index], self.sizes[index]
        return Packed(self.shards, *facts, self.max_pixels, contents)

    def relabel(self, labels: np.ndarray) -> "Packed":
        """The same pictures with other labels."""
        return Packed(self.shards, self.table, labels, self.sizes, self.max_pixels, self._contents)

    def key(self, *facts: object) -> str:
        """A short hash of the pictures (shards, their sizes and times of last change) and of the facts."""
        found = [(path, os.stat(path)) for path in self.shards]  # noqa: PTH116
        stamps = [(path, one.st_size, one.st_mtime_ns) for path, one in found]
        digest = hashlib.blake2b(repr((facts, stamps)).encode(errors="replace"), digest_size=16)
        digest.update(np.ascontiguousarray(self.table).data)
        return digest.hexdigest()

    @cached_property
    def _maps(self) -> list[mmap.mmap]:
        maps = []
        for path in self.shards:
            with open(path, "rb") as file:  # noqa: PTH123
                maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return maps

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the memory maps, whose pickles would be copies: workers open the files themselves."""
        return {name: value for name, value in self.__dict__.items() if name != "_maps"}


def joined_packed(parts: Sequence[Packed]) -> Packed:
    """The pictures of several splits of one source, which share their shards."""
    table, labels, sizes = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("table", "labels", "sizes")
    )
    contents = np.concatenate([part.contents() for part in parts])
    return Packed(parts[0].shards, table, labels, sizes, parts[0].max_pixels, contents)
