"""Weigh classes so that rare ones count for more in the loss.

The weights of the training images have a mean of 1, so the loss keeps its scale, and the learning rate stays.

Source: King & Zeng 2001, "Logistic Regression in Rare Events Data", section 4 (inverse frequency); Cui et al.
2019, https://arxiv.org/abs/1901.05555, section 3 (effective numbers).
"""

from typing import Literal

import numpy as np

from imagelab.problem import Problem, nearest

Weight = Literal["auto", "balanced"] | dict[str | int, float] | None
BETA = 0.999  # the middle one of the paper's values: beyond some 1,000 images, a class gains little by more


def class_weights(weight: Weight, *, classes: list[str], labels: np.ndarray) -> np.ndarray | None:
    """The weight of each class in a loss of one class per image, (K,); None: all alike.

    >>> labels = np.repeat([0, 1], [300, 100])
    >>> class_weights("balanced", classes=["ant", "bee"], labels=labels).round(3).tolist()
    [0.667, 2.0]

    Args:
        weight: "balanced": inverse to the number of images of a class; "auto": inverse to its effective
            number; or the weights of some classes relative to the others, which have 1.
        classes: Names of the classes.
        labels: Labels of the training images, (N,) int64.

    Raises:
        Problem: A name is not a class, or a weight is not above 0.
    """
    if weight is None:
        return None
    counts = np.bincount(labels, minlength=len(classes)).astype(float)
    relative = _given(weight, classes) if isinstance(weight, dict) else 1 / _numbers(counts, weight)
    return relative * counts.sum() / (relative * counts).sum()


def side_weights(weight: Weight, *, classes: list[str], labels: np.ndarray) -> np.ndarray | None:
    """The weights of images without and with each class, (2, K), where each class is a question of its own.

    For each class they have a mean of 1 over the images.

    >>> tags = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=bool)
    >>> side_weights("balanced", classes=["even", "loop"], labels=tags).round(3).tolist()
    [[2.0, 1.0], [0.667, 1.0]]

    Args:
        weight: As in `class_weights`.
        classes: Names of the classes.
        labels: Labels of the training images, (N,) int64 or (N, K) bool.
    """
    if weight is None:
        return None
    single = labels.ndim == 1
    positive = np.bincount(labels, minlength=len(classes)) if single else labels.sum(axis=0)
    counts = np.stack([len(labels) - positive, positive]).astype(float)
    if isinstance(weight, dict):
        relative = np.stack([np.ones(len(classes)), _given(weight, classes)])
    else:
        relative = 1 / _numbers(counts, weight)
    return relative * len(labels) / (relative * counts).sum(axis=0)


def _numbers(counts: np.ndarray, weight: str) -> np.ndarray:
    """The number of images of each class, or its effective number."""
    counts = np.maximum(counts, 1)
    return counts if weight == "balanced" else (1 - BETA**counts) / (1 - BETA)


def _given(weight: dict[str | int, float], classes: list[str]) -> np.ndarray:
    named = {str(name): value for name, value in weight.items()}
    for name, value in named.items():
        if name not in classes:
            raise Problem(f"loss.weight: there is no class {name!r}{nearest(name, classes)}")
        if value <= 0:
            raise Problem(f"loss.weight: wants a number above 0 for {name}, got {value}")
    return np.array([named.get(name, 1.0) for name in classes])
