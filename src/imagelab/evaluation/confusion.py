"""Which classes are taken for which: counts of every pair, and the pairs that go wrong most often."""

from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """Images of one class that were taken for another.

    given: The class of the label. predicted: the one it was taken for. count: how many images. share: of all
    images of the given class, in [0, 1].
    """

    given: int
    predicted: int
    count: int
    share: float


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64: row = given class, column = predicted class.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def most_confused(counts: np.ndarray, top: int) -> list[Pair]:
    """The `top` pairs of different classes with the most images; of equal counts the larger share first."""
    wrong = counts - np.diag(np.diag(counts))
    given, predicted = np.nonzero(wrong)
    totals = counts.sum(axis=1)
    pairs = [
        Pair(int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / totals[i]))
        for i, j in zip(given, predicted, strict=True)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.given, pair.predicted))[:top]


def busiest(counts: np.ndarray, most: int) -> np.ndarray:
    """The classes, in order, that take part in the most mistakes: what to show where all are too many.

    Args:
        counts: (K, K), row = given, column = predicted.
        most: How many to name, >= 1; all where there are no more.
    """
    wrong = counts - np.diag(np.diag(counts))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most])
