"""Deal images by rank: each class is ordered by a hash of its images' content, so that few move later.

An added or removed image moves each border between the parts of its class by one image at most, and no other
class. Names and places in the source do not matter, copies stay together, and the seed changes nothing.
"""

import numpy as np

from imagelab.box_labels import presence  # room: detection
from imagelab.data.labels import kind_of, strata
from imagelab.data.stratified import tag_ranks
from imagelab.randomness import keyed

GOLDEN = 0.5 * (5**0.5 - 1)


def ranks(labels: np.ndarray, contents: np.ndarray, purpose: str) -> np.ndarray:
    """The relative rank of each of N images in its class, (N,) float64 in [0, 1): evenly spaced, by content.

    The first rank differs between classes, so that rounding favours no part where classes are small.

    Args:
        labels: Labels, as in `contracts.Images`; copies with different ones count for the first class.
        contents: Number of each image's content, (N,) uint64.
        purpose: What the order is for; each purpose has an order of its own.

    >>> ranks(np.zeros(4, int), np.array([5, 6, 7, 7], np.uint64), "test").tolist()
    [0.0, 0.25, 0.5, 0.5]
    """
    keys = keyed(contents, purpose)
    if kind_of(labels) == "multilabel":  # one added image may then move several others
        return tag_ranks(labels, keys)
    if kind_of(labels) == "boxes":  # room: detection
        return tag_ranks(presence(labels), keys)
    classes = _of_copies(strata(labels), contents)
    order = np.lexsort((keys, classes))
    counts = np.bincount(classes)
    begins = np.diff(contents[order], prepend=~contents[order[:1]]) != 0
    firsts = np.flatnonzero(begins)
    sizes = np.diff(firsts, append=len(order))
    ordered = classes[order[firsts]]
    shift = np.arange(len(counts)) * GOLDEN % 1
    shift[np.bincount(ordered, minlength=len(counts)) == 1] = 0.5  # else a class of one might not be trained
    within = firsts - (np.cumsum(counts) - counts)[ordered] + shift[ordered] * sizes
    found = np.empty(len(labels))
    found[order] = np.repeat(within / counts[ordered], sizes)
    return found


def part_of(labels: np.ndarray, contents: np.ndarray, fraction: float, purpose: str) -> np.ndarray:
    """Which of N images to hold out, (N,) bool: this share of each class, copies together; at least one."""
    found = ranks(labels, contents, purpose)
    held_out = found < fraction
    return held_out if held_out.any() or not len(found) else contents == contents[found.argmin()]


def fold_numbers(labels: np.ndarray, contents: np.ndarray, count: int) -> np.ndarray:
    """The fold of each of N images, (N,) int64; without copies, sizes differ by at most 1 in each class.

    >>> folds = fold_numbers(np.repeat([0, 1], [7, 3]), np.arange(10, dtype=np.uint64), 5)
    >>> np.bincount(folds).tolist()
    [2, 2, 3, 1, 2]
    """
    return (ranks(labels, contents, "fold") * count).astype(np.int64)


def first_of_each(labels: np.ndarray, contents: np.ndarray, limit: int) -> np.ndarray:
    """Places of `limit` images, stratified, each class at least once; a larger limit only adds images."""
    order = np.argsort(ranks(labels, contents, "limit"), kind="stable")
    _, firsts = np.unique(strata(labels)[order], return_index=True)
    if len(firsts) <= limit:
        order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.sort(order[:limit])


def _of_copies(classes: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """The class of each image, (N,) int64; that of copies is the first among theirs."""
    ordered = np.sort(contents)
    copies = np.flatnonzero(np.isin(contents, ordered[1:][ordered[1:] == ordered[:-1]]))
    if not len(copies):
        return classes
    found = classes.copy()
    _, group = np.unique(contents[copies], return_inverse=True)
    first = np.full(len(copies), classes.max())
    np.minimum.at(first, group, classes[copies])
    found[copies] = first[group]
    return found
