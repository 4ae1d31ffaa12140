"""Rank labels by how likely they are wrong, and estimate how many are, from held-out predictions.

Suspects are ranked by normalised margin: the probability of the given label minus the largest of the others.
The number of errors is estimated by confident learning: a label counts as wrong if another class has a
probability above the average that the images of that class have for it.

Source: Northcutt, Jiang & Chuang 2021, https://arxiv.org/abs/1911.00068, sections 3.1 (confident joint) and
3.2 (normalised margin).
"""

import numpy as np


def margins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Normalised margins: (N, K) and (N,) -> (N,) in [-1, 1]; lower is more suspect.

    >>> margins(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 0])).round(1).tolist()
    [0.8, -0.4]
    """
    others = _others(probabilities, labels).max(axis=1)
    return _own(probabilities, labels) - others


def suggestions(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The most likely label other than the given one: (N, K) and (N,) -> (N,)."""
    return _others(probabilities, labels).argmax(axis=1)


def confident_errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the predictions are confident of another label: (N, K) and (N,) -> (N,) bool."""
    classes = probabilities.shape[1]
    own = _own(probabilities, labels)
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    sure = np.where(probabilities >= thresholds, probabilities, -1.0)
    return (sure.max(axis=1) >= 0) & (sure.argmax(axis=1) != labels)


def _own(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels]


def _others(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    return others
