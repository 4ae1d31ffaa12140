"""Find copies: exact ones by their pixels, near ones by their content.

Near copies are candidates by coarse correlation, confirmed by the likeness of their fine structure. The usual
threshold on perceptual hashes finds fewer copies, among more false ones, at 32 x 32 pixels.
Source: ciFAIR, Barz & Denzler 2020, https://arxiv.org/abs/1902.00423: 3.3% of CIFAR-10's test images.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imagelab.inspection.candidates import candidates
from imagelab.inspection.pairs import Pair, Thresholds, batches, fine_likeness, keep_better
from imagelab.inspection.scan import Seen

TINY, SMALL = 16, 64  # pixels, median short side: smaller images show too little to recognise near copies
MOST = 1_000_000  # pairs
FOR_SMALL = Thresholds(0.90, 0.805)  # chosen on CIFAR-10: 433 pairs, 163 known
FOR_PHOTOS = Thresholds(0.85, 0.70)  # 78,000 pairs of different photos stay below 0.5


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Copies among N images.

    Args:
        pairs: Pairs of copies; of several exact copies, each with the first.
        groups: (N,) int64: the same number for images that are copies, directly or through others.
        thresholds: Thresholds for near copies; None: the images are too small for them.
        cut: Whether there were more pairs than are kept.
    """

    pairs: list[Pair]
    groups: np.ndarray
    thresholds: Thresholds | None
    cut: bool


def find_duplicates(seen: Seen, features: str | None = None) -> Duplicates:
    """Find all copies within and across splits.

    Args:
        seen: Scan of the images.
        features: weights: compare by a network trained on ImageNet, too; None: by pixels only.
    """
    pairs = _exact(seen)
    copies = {pair.second for pair in pairs}
    unique = np.array([i for i in np.flatnonzero(seen.readable).tolist() if i not in copies], dtype=np.int64)
    thresholds = thresholds_of(seen)
    cut = False
    if thresholds and len(unique) > 1:
        if features:  # room: model/efficientnet_lite0
            from imagelab.inspection.network_copies import network_copies

            thresholds, near = network_copies(seen, unique, small=thresholds == FOR_SMALL)
        else:
            thresholds, near, cut = _near(seen, unique, thresholds)
        pairs += near
    return Duplicates(pairs=pairs, groups=_groups(len(seen.images), pairs), thresholds=thresholds, cut=cut)


def thresholds_of(seen: Seen) -> Thresholds | None:
    """The thresholds for the median size of the images; None if they are too small."""
    sides = seen.sizes[seen.readable].min(axis=1)
    short = float(np.median(sides)) if len(sides) else 0.0
    if short < TINY:
        return None
    return FOR_SMALL if short <= SMALL else FOR_PHOTOS


def _exact(seen: Seen) -> list[Pair]:
    first: dict[int, int] = {}
    pairs = []
    for index in np.flatnonzero(seen.readable).tolist():
        earlier = first.setdefault(int(seen.digests[index, 0]), index)
        if earlier != index:
            pairs.append(Pair(earlier, index, "exact", 1.0))
    return pairs


def _near(seen: Seen, unique: np.ndarray, thresholds: Thresholds) -> tuple[Thresholds, list[Pair], bool]:
    coarse, pairs = candidates(seen.small[unique], thresholds.coarse)
    found: dict[tuple[int, int], Pair] = {}
    for places, mirrored in batches(pairs):
        alike = fine_likeness(seen, unique[places], mirrored)
        for place in np.flatnonzero(alike >= thresholds.fine).tolist():
            first, second = unique[places[place]].tolist()
            likeness = round(float(alike[place]), 4)
            keep_better(found, Pair(first, second, "mirrored" if mirrored else "near", likeness))
        if len(found) >= MOST:
            break
    return Thresholds(coarse, thresholds.fine), sorted(found.values()), len(found) >= MOST


def _groups(count: int, pairs: list[Pair]) -> np.ndarray:
    """The smallest index in the group of each image."""
    ends = np.array([pair[:2] for pair in pairs], dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), dtype=bool), tuple(ends)), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    return np.unique(group, return_index=True)[1][group]
