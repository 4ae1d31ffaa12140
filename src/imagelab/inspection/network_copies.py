# room: model/efficientnet_lite0
"""Find near copies by a network and by pixels: candidates by its vectors, verified after registration.

A crop or another aspect ratio moves fine structure by more than a shift can follow. So the nearest candidate
of each image in each split is compared again, stretched in several ways. Likeness is the mean of the cosine
of the vectors and of the correlation of the fine structure at the best stretch.

Source: normalised correlation after registration, as in Zitova & Flusser 2003,
https://doi.org/10.1016/S0262-8856(03)00137-9, section 3.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from imagelab.inspection.candidates import search
from imagelab.inspection.copy_vectors import BATCH, CopyVectors
from imagelab.inspection.likeness import registered
from imagelab.inspection.pairs import Pair, Thresholds, batches, fine_likeness, keep_better
from imagelab.inspection.scan import Seen


class Steps(NamedTuple):
    """Least cosine of candidates, least likeness before registration, and after it."""

    cosine: float
    before: float
    after: float


FOR_SMALL = Steps(0.5, 0.6, 0.822)  # chosen on CIFAR-10, so that it flags at most 450 pairs
FOR_PHOTOS = Steps(
    0.4, 0.4, 0.62
)  # of 78,210 pairs of different photos, the 3,000 most alike stay below 0.52


def network_copies(seen: Seen, unique: np.ndarray, *, small: bool) -> tuple[Thresholds, list[Pair]]:
    """The least cosine of candidates and the least likeness of copies, and the copies among images.

    Args:
        seen: Scan of the images.
        unique: Indices of the images to compare.
        small: Whether the images are small, which look more alike.
    """
    steps = FOR_SMALL if small else FOR_PHOTOS
    parts = [unique[k : k + BATCH] for k in range(0, len(unique), BATCH)]
    vectors = CopyVectors([seen.thumbnails.take(some) for some in parts])
    coarse, pairs = search(vectors.plain, vectors.mirrored, steps.cosine)
    found: dict[tuple[int, int], Pair] = {}
    for places, mirrored in batches(pairs):
        cosines = vectors.cosines(places, mirrored)
        alike = (fine_likeness(seen, unique[places], mirrored) + cosines) / 2
        for place in np.flatnonzero(alike >= steps.before).tolist():
            first, second = places[place].tolist()
            keep_better(found, Pair(first, second, "mirrored" if mirrored else "near", float(alike[place])))
    nearest = nearest_only(found.values(), seen.images.splits[unique])
    return Thresholds(coarse, steps.after), [
        Pair(int(unique[pair.first]), int(unique[pair.second]), pair.kind, round(alike, 4))
        for pair, alike in zip(nearest, _registered(seen, unique, nearest, vectors), strict=True)
        if alike >= steps.after
    ]


def nearest_only(pairs: Iterable[Pair], splits: np.ndarray) -> list[Pair]:
    """Of the pairs of an image with earlier ones only the best in each split: a scene has many like it."""
    best: dict[tuple[int, str], Pair] = {}
    for pair in pairs:
        key = pair.second, str(splits[pair.first])
        if key not in best or best[key].likeness < pair.likeness:
            best[key] = pair
    return sorted(best.values())


def _registered(seen: Seen, unique: np.ndarray, pairs: list[Pair], vectors: CopyVectors) -> list[float]:
    """The likeness of pairs after registration, in their order."""
    found = []
    for start in range(0, len(pairs), BATCH):
        some = pairs[start : start + BATCH]
        turned = np.array([pair.kind == "mirrored" for pair in some])
        first, second = (np.array([pair[side] for pair in some]) for side in (0, 1))
        left, right = (seen.thumbnails.take(unique[side]) for side in (first, second))
        right = np.where(turned[:, None, None, None], right[:, :, ::-1], right)
        theirs = vectors.plain[second].copy()
        if turned.any():  # exactly now: candidates were found by an estimate
            theirs[turned] = vectors.of(right[turned])
        cosines = (vectors.plain[first] * theirs).sum(axis=1)
        found += ((registered(left, right) + cosines) / 2).tolist()
    return found
