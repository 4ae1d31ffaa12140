"""Deal images with several classes so that every part has the same share of each class.

Source: Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10, algorithm 1, for equal parts.
"""

import numpy as np

# Parts are laid out with bits reversed: the few images of a rare class, dealt to the first parts, are then as
# far apart as can be.
SPREAD = np.array([int(f"{part:05b}"[::-1], 2) for part in range(32)])


def tag_ranks(tags: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The relative rank of each image, (N,) float64 in [0, 1): below any share lie as many of each class.

    Args:
        tags: Classes of each image, (N, K) bool; of copies, those of the first count.
        keys: Number of each image, (N,) uint64, the same for copies; the order in which images are dealt.
    """
    _, firsts, copies = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(SPREAD[dealt(tags[firsts], len(SPREAD))], kind="stable")
    found = np.empty(len(firsts))
    found[order] = np.arange(len(firsts)) / max(1, len(firsts))
    return found[copies]


def dealt(tags: np.ndarray, parts: int) -> np.ndarray:
    """The part of each image, (N,) int64; parts differ by at most one image.

    The rarest remaining class is dealt first: each of its images goes to the part that lacks it most, among
    these to the one that lacks images most.

    Args:
        tags: Classes of each image, (N, K) bool.
        parts: Number of parts, >= 1.
    """
    room = np.full(parts, len(tags) // parts) + (np.arange(parts) < len(tags) % parts)
    left = tags.sum(axis=0)
    lacking = np.outer(np.full(parts, 1 / parts), left)
    found = np.full(len(tags), -1)
    while left.any():
        rarest = int(np.where(left > 0, left, len(tags) + 1).argmin())
        for place in np.flatnonzero(tags[:, rarest] & (found < 0)).tolist():
            own = np.where(room > 0, lacking[:, rarest], -np.inf)
            part = max(np.flatnonzero(own == own.max()).tolist(), key=room.__getitem__)
            found[place] = part
            room[part] -= 1
            lacking[part] -= tags[place]
            left -= tags[place]
    found[found < 0] = np.repeat(np.arange(parts), room)
    return found
