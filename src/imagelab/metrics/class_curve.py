"""Measure how well the probability of a class ranks its images before the others, at every threshold.

Source: Davis & Goadrich 2006, https://doi.org/10.1145/1143844.1143874; computed by scikit-learn.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_auc_score


class ClassCurve(NamedTuple):
    """How well the probability of a class ranks its images before the others.

    label: The class. images: Its images. ap, auroc: Areas under both curves. threshold: Probability with the
    highest F1. precision, recall, f1: At the threshold.
    """

    label: int
    images: int
    ap: float
    auroc: float
    threshold: float
    precision: float
    recall: float
    f1: float


def class_curve(label: int, probabilities: np.ndarray, there: np.ndarray) -> ClassCurve:
    """Measure one class.

    Args:
        label: The class.
        probabilities: Its probability for each image, (N,).
        there: Whether an image has it, (N,) bool; some have, some have not.
    """
    precision, recall, thresholds = precision_recall_curve(there, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1[:-1].argmax())
    return ClassCurve(
        label=label,
        images=int(there.sum()),
        ap=float(-np.sum(np.diff(recall) * precision[:-1])),  # as `average_precision_score` sums it
        auroc=float(roc_auc_score(there, probabilities)),
        threshold=float(thresholds[best]),
        precision=float(precision[best]),
        recall=float(recall[best]),
        f1=float(f1[best]),
    )
