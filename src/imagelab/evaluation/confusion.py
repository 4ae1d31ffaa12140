"""Count which classes are confused with which, and find the pairs confused most often."""

from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """Images of one class that were predicted as another.

    given: Class of the label. predicted: Predicted class. count: Number of images. share: Fraction of the
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
    """The `top` pairs of different classes with the most images; ties by the larger share."""
    wrong = counts - np.diag(np.diag(counts))
    given, predicted = np.nonzero(wrong)
    totals = counts.sum(axis=1)
    pairs = [
        Pair(int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / totals[i]))
        for i, j in zip(given, predicted, strict=True)
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.given, pair.predicted))[:top]


def busiest(counts: np.ndarray, most: int) -> np.ndarray:
    """The classes with the most mistakes, in label order, for a table that cannot show all of them.

    Args:
        counts: Confusion matrix, (K, K): row = given class, column = predicted class.
        most: Largest number of classes to return, >= 1.
    """
    wrong = counts - np.diag(np.diag(counts))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most])
