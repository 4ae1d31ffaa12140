"""Read every image once, and keep its measures and two thumbnails, not its pixels."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from imagelab.data.content import pixel_digest
from imagelab.data.files import Files
from imagelab.data.parallel import map_in_threads
from imagelab.data.resize import resized
from imagelab.inspection.collection import Collection
from imagelab.inspection.likeness import SIDE
from imagelab.inspection.look import Look, look
from imagelab.inspection.measures import MEASURES, measure, shrunk
from imagelab.problem import Problem
from imagelab.terminal import screen

TOGETHER = 256  # images of one size to measure at once
PREVIEW, PREVIEWED = 64, 20_000  # side of a preview; of more images than that, thumbnails are shown instead


class Thumbnails:
    """(N, S, S, 3) uint8 in a temporary file: in memory, they would take up most of it."""

    def __init__(self, file: BinaryIO, count: int, side: int) -> None:
        self._file, self._count, self.side = file, count, side

    def __len__(self) -> int:
        return self._count

    def append(self, images: np.ndarray) -> None:
        """Append thumbnails, (B, S, S, 3) uint8."""
        self._file.write(np.ascontiguousarray(images).tobytes())
        self._count += len(images)

    def take(self, index: np.ndarray) -> np.ndarray:
        """The thumbnails at the given indices, (B, S, S, 3) uint8."""
        size = self.side**2 * 3
        found = np.empty((len(index), size), dtype=np.uint8)
        for row, place in zip(found, index.tolist(), strict=True):
            self._file.seek(place * size)
            row[:] = np.frombuffer(self._file.read(size), dtype=np.uint8)
        return found.reshape(-1, self.side, self.side, 3)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The result of a scan of N images; values are 0 for unreadable ones.

    Args:
        images: Images that were scanned.
        faults: Why images cannot be read, by index.
        odd: Unusual traits of readable images, by index.
        kinds: (N,) str: format of each file; empty if unknown or not a file.
        sizes: (N, 2) int32: width and height in pixels, upright.
        measures: Name in MEASURES -> (N,) float32.
        digests: (N, 2) uint64: of the pixels, and of the bytes of the file.
        small: (N, 8, 8, 3) uint8: coarse thumbnails.
        thumbnails: (N, 32, 32, 3) uint8, on disk.
        previews: (N, 64, 64, 3) uint8, on disk; the thumbnails if there are too many.
    """

    images: Collection
    faults: dict[int, str]
    odd: dict[int, tuple[str, ...]]
    kinds: np.ndarray
    sizes: np.ndarray
    measures: dict[str, np.ndarray]
    digests: np.ndarray
    small: np.ndarray
    thumbnails: Thumbnails
    previews: Thumbnails

    @property
    def readable(self) -> np.ndarray:
        """(N,) bool: which images can be read."""
        found = np.ones(len(self.images), dtype=bool)
        found[list(self.faults)] = False
        return found


def scan(images: Collection, folder: Path) -> Seen:
    """Scan every image once; `folder` takes temporary files for the thumbnails."""
    count = len(images)
    screen.wait(f"looking at {count:,} images")
    thumbnails = Thumbnails(tempfile.TemporaryFile(dir=folder), 0, SIDE)  # noqa: SIM115
    large = Thumbnails(tempfile.TemporaryFile(dir=folder), 0, PREVIEW)  # noqa: SIM115
    seen = Seen(
        images=images,
        faults={},
        odd={},
        kinds=np.zeros(count, dtype="U4"),
        sizes=np.zeros((count, 2), dtype=np.int32),
        measures={name: np.zeros(count, dtype=np.float32) for name in MEASURES},
        digests=np.zeros((count, 2), dtype=np.uint64),
        small=np.zeros((count, 8, 8, 3), dtype=np.uint8),
        thumbnails=thumbnails,
        previews=large if count <= PREVIEWED else thumbnails,
    )
    for first, looks in _together(map_in_threads(partial(_inspect_image, images), range(count))):
        _note(seen, first, looks)
        _measure(seen, first, [one.pixels for one in looks])
    return seen


def _inspect_image(images: Collection, index: int) -> Look:
    owner, place = images.place(index)
    if not isinstance(owner, Files):
        try:
            pixels = images.pixels(index)
        except Problem as problem:
            return Look(None, 0, "", str(problem), ())
        return Look(pixels, 0, "", "", ())
    return look(str(owner.paths[place]), owner.max_pixels)


def _together(looks: Iterator[Look]) -> Iterator[tuple[int, list[Look]]]:
    """Consecutive images of one shape, with the index of the first."""
    first = 0
    some = []
    for one in looks:
        if some and (len(some) == TOGETHER or _shape(one) != _shape(some[0]) or not _small(one)):
            yield first, some
            first = first + len(some)
            some = []
        some.append(one)
    if some:
        yield first, some


def _shape(one: Look) -> tuple[int, ...]:
    return () if one.pixels is None else one.pixels.shape


def _small(one: Look) -> bool:
    return one.pixels is None or one.pixels.shape[0] * one.pixels.shape[1] <= 128 * 128


def _note(seen: Seen, first: int, looks: list[Look]) -> None:
    for index, one in enumerate(looks, first):
        seen.kinds[index] = one.kind
        if one.fault:
            seen.faults[index] = one.fault
        if one.odd:
            seen.odd[index] = one.odd
        if one.pixels is not None:
            seen.sizes[index] = one.pixels.shape[1], one.pixels.shape[0]
            seen.digests[index] = pixel_digest(one.pixels), one.digest


def _measure(seen: Seen, first: int, pixels: list[np.ndarray | None]) -> None:
    """Compute measures and thumbnails of a batch of one shape."""
    present = [one for one in pixels if one is not None]
    here = slice(first, first + len(pixels))
    kept = {seen.thumbnails.side: seen.thumbnails, seen.previews.side: seen.previews}
    if not present:
        for side, thumbnails in kept.items():
            thumbnails.append(np.zeros((len(pixels), side, side, 3), dtype=np.uint8))
        return
    for name, values in measure(np.stack([shrunk(one) for one in present])).items():
        seen.measures[name][here] = values
    for side, thumbnails in kept.items():
        thumbnails.append(np.stack([resized(one, side, side) for one in present]))
    small = seen.thumbnails.take(np.arange(here.start, here.stop))
    seen.small[here] = np.rint(
        small.reshape(-1, 8, SIDE // 8, 8, SIDE // 8, 3).mean((2, 4), dtype=np.float32)
    )
