"""Find copies: exact ones by their pixels, near ones by their content.

Near copies are candidates by coarse correlation, confirmed by the likeness of their fine structure. The usual
threshold on perceptual hashes finds fewer copies, among more false ones, at 32 x 32 pixels.
Source: ciFAIR, Barz & Denzler 2020, https://arxiv.org/abs/1902.00423: 3.3% of CIFAR-10's test images.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imagelab.inspection.candidates import candidates, search
from imagelab.inspection.likeness import likeness
from imagelab.inspection.scan import Seen

Kind = Literal["exact", "near", "mirrored"]
TINY, SMALL = 16, 64  # pixels, median short side: smaller images show too little to recognise near copies
AT_ONCE = 2048  # candidates to verify at once: 60 MB
MOST = 1_000_000  # pairs


class Thresholds(NamedTuple):
    """Least coarse correlation of candidates, and least likeness of copies."""

    coarse: float
    fine: float


FOR_SMALL = Thresholds(0.90, 0.805)  # chosen on CIFAR-10: 433 pairs, 163 known
FOR_PHOTOS = Thresholds(0.85, 0.70)  # 78,000 pairs of different photos stay below 0.5
# With a network, likeness is the mean of both: chosen on CIFAR-10, and on those photos (below 0.52).
SMALL_BY_NETWORK, PHOTOS_BY_NETWORK = Thresholds(0.5, 0.75), Thresholds(0.5, 0.60)


class Pair(NamedTuple):
    """Two images by index, the smaller first.

    kind: exact: the same pixels; near: similar; mirrored: similar after mirroring one. likeness: up to 1.
    """

    first: int
    second: int
    kind: Kind
    likeness: float


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
        vectors = None
        if features:  # room: model/efficientnet_lite0
            from imagelab.inspection.copy_vectors import BATCH, copy_vectors

            thresholds = SMALL_BY_NETWORK if thresholds == FOR_SMALL else PHOTOS_BY_NETWORK
            parts = [unique[k : k + BATCH] for k in range(0, len(unique), BATCH)]
            vectors = copy_vectors([seen.thumbnails.take(some) for some in parts])
        thresholds, near, cut = _near(seen, unique, thresholds, vectors)
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


def _near(
    seen: Seen, unique: np.ndarray, thresholds: Thresholds, vectors: tuple[np.ndarray, np.ndarray] | None
) -> tuple[Thresholds, list[Pair], bool]:
    if vectors is None:
        coarse, pairs = candidates(seen.small[unique], thresholds.coarse)
    else:
        coarse, pairs = search(*vectors, thresholds.coarse)
    found: dict[tuple[int, int], Pair] = {}
    waiting: dict[bool, list[np.ndarray]] = {False: [], True: []}

    def verify(mirrored: bool) -> None:
        places = np.concatenate(waiting[mirrored])
        extra = None if vectors is None else _cosines(vectors, places, mirrored)
        _verify(seen, unique[places], mirrored, thresholds.fine, found, extra)
        waiting[mirrored] = []

    for some, mirrored in pairs:
        waiting[mirrored].append(some)
        if sum(map(len, waiting[mirrored])) >= AT_ONCE:
            verify(mirrored)
        if len(found) >= MOST:
            break
    for mirrored in [mirrored for mirrored, rest in waiting.items() if rest]:
        verify(mirrored)
    near = sorted(found.values())
    near = near if vectors is None else nearest_only(near, seen.images.splits)
    return Thresholds(coarse, thresholds.fine), near, len(found) >= MOST


def nearest_only(pairs: list[Pair], splits: np.ndarray) -> list[Pair]:
    """Of the pairs of an image with earlier ones only the best in each split: a scene has many like it."""
    best: dict[tuple[int, str], Pair] = {}
    for pair in pairs:
        key = pair.second, str(splits[pair.first])
        if key not in best or best[key].likeness < pair.likeness:
            best[key] = pair
    return sorted(best.values())


def _cosines(vectors: tuple[np.ndarray, np.ndarray], places: np.ndarray, mirrored: bool) -> np.ndarray:
    return (vectors[0][places[:, 0]] * vectors[int(mirrored)][places[:, 1]]).sum(axis=1)


def _verify(
    seen: Seen,
    pairs: np.ndarray,
    mirrored: bool,
    least: float,
    found: dict[tuple[int, int], Pair],
    cosines: np.ndarray | None,
) -> None:
    """Add the candidates that are copies, keeping the better of plain and mirrored.

    With cosines of vectors, the likeness is their mean with that of the fine structure.
    """
    if not len(pairs):
        return
    (first, i), (second, j) = (np.unique(side, return_inverse=True) for side in pairs.T)
    right = seen.thumbnails.take(second)
    right = right[:, :, ::-1] if mirrored else right
    alike = likeness(seen.thumbnails.take(first), right, np.stack([i, j], axis=1))
    alike = alike if cosines is None else (alike + cosines) / 2
    for place in np.flatnonzero(alike >= least).tolist():
        key = int(pairs[place, 0]), int(pairs[place, 1])
        if key not in found or found[key].likeness < alike[place]:
            kind: Kind = "mirrored" if mirrored else "near"
            found[key] = Pair(*key, kind, round(float(alike[place]), 4))


def _groups(count: int, pairs: list[Pair]) -> np.ndarray:
    """The smallest index in the group of each image."""
    ends = np.array([pair[:2] for pair in pairs], dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), dtype=bool), tuple(ends)), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    return np.unique(group, return_index=True)[1][group]
