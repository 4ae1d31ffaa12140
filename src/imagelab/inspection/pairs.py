"""Pairs of images that may be copies, and how their thumbnails are compared in large batches."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from imagelab.inspection.likeness import likeness
from imagelab.inspection.scan import Seen

Kind = Literal["exact", "near", "mirrored"]
AT_ONCE = 2048  # candidates to verify at once: 60 MB


class Thresholds(NamedTuple):
    """Least coarse correlation of candidates, and least likeness of copies."""

    coarse: float
    fine: float


class Pair(NamedTuple):
    """Two images by index, the smaller first.

    kind: exact: the same pixels; near: similar; mirrored: similar after mirroring one. likeness: up to 1.
    """

    first: int
    second: int
    kind: Kind
    likeness: float


def batches(pairs: Iterable[tuple[np.ndarray, bool]]) -> Iterator[tuple[np.ndarray, bool]]:
    """The same pairs, (K, 2), in batches of at least `AT_ONCE`, but for the last ones."""
    waiting: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for some, mirrored in pairs:
        waiting[mirrored].append(some)
        if sum(map(len, waiting[mirrored])) >= AT_ONCE:
            yield np.concatenate(waiting[mirrored]), mirrored
            waiting[mirrored] = []
    for mirrored, rest in waiting.items():
        if sum(map(len, rest)):
            yield np.concatenate(rest), mirrored


def fine_likeness(seen: Seen, pairs: np.ndarray, mirrored: bool) -> np.ndarray:
    """The likeness of pairs of images (K, 2), the second one mirrored or not: (K,) float32."""
    (first, i), (second, j) = (np.unique(side, return_inverse=True) for side in pairs.T)
    right = seen.thumbnails.take(second)
    right = right[:, :, ::-1] if mirrored else right
    return likeness(seen.thumbnails.take(first), right, np.stack([i, j], axis=1))


def keep_better(found: dict[tuple[int, int], Pair], pair: Pair) -> None:
    """Add a pair, unless it is there, mirrored or not, with a higher likeness."""
    before = found.get((pair.first, pair.second))
    if before is None or before.likeness < pair.likeness:
        found[pair.first, pair.second] = pair
