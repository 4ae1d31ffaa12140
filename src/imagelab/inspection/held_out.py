"""Predict each image with a classifier fitted without it: stratified k-fold on features.

Copies of an image share its fold: otherwise the classifier would have seen it.

Source: https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.StratifiedKFold.html
"""

import warnings
from typing import NamedTuple

import numpy as np

from imagelab.problem import Problem
from imagelab.randomness import stream

FOLDS = 5
STRENGTH = 0.1  # strength of the L2 penalty, for features of unit length


class Predictions(NamedTuple):
    """Held-out predictions for N images.

    probabilities: (N, K) float, rows sum to 1. fold: (N,) int64, fold that each image was held out of.
    """

    probabilities: np.ndarray
    fold: np.ndarray


def held_out(
    features: np.ndarray, labels: np.ndarray, *, classes: int, groups: np.ndarray | None, seed: int
) -> Predictions:
    """Predict each image by logistic regression on the features of the other folds.

    Args:
        features: (N, F) float.
        labels: (N,) int64, from 0 to K - 1.
        classes: Number of classes, K.
        groups: (N,) int64, equal for copies; None: there are no copies.
        seed: Seed of the folds.

    Raises:
        Problem: There are too few images to hold any out.
    """
    fold = folds(labels, groups, seed)
    probabilities = np.zeros((len(labels), classes))
    for number in range(fold.max() + 1):
        out = fold == number
        known, given = _fitted_on(features[~out], labels[~out], features[out])
        probabilities[np.ix_(out, known)] = given
    return Predictions(probabilities, fold)


def folds(labels: np.ndarray, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """(N,) int64: the fold of each image, stratified by class, no group of copies in two folds."""
    from sklearn.model_selection import StratifiedKFold

    first, member = np.unique(
        groups if groups is not None else np.arange(len(labels)), return_index=True, return_inverse=True
    )[1:]
    if len(np.unique(labels)) < 2 or len(first) < 2 * FOLDS:
        raise Problem(
            f"labels: {len(first)} images of {len(np.unique(labels))} classes are too few to hold some out; "
            f"wants at least two classes and {2 * FOLDS} images"
        )
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=int(stream(seed, "folds").integers(2**31)))
    fold = np.zeros(len(first), dtype=np.int64)
    with warnings.catch_warnings():  # folds may lack classes that have fewer images than there are folds
        warnings.simplefilter("ignore")
        for number, (_, out) in enumerate(splitter.split(first[:, None], labels[first])):
            fold[out] = number
    return fold[member]


def _fitted_on(features: np.ndarray, labels: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels present, and their probabilities for the other images."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 1e-6, spread, np.inf) * np.sqrt(features.shape[1])
    model = LogisticRegression(C=1 / STRENGTH, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():  # nearly converged is good enough for a ranking
        warnings.simplefilter("ignore")
        model.fit((features - mean) / scale, labels)
    return model.classes_, model.predict_proba((others - mean) / scale)
