"""Compute precision and recall of each class, with confidence intervals.

Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953; Brown, Cai & DasGupta 2001,
https://doi.org/10.1214/ss/1009213286, section 3.1.1.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest


class ClassRow(NamedTuple):
    """One class: its numbers of images and of predictions, precision, recall and F1.

    Fractions and intervals are in [0, 1], NaN if they are undefined.
    """

    label: int
    images: int
    predicted: int
    precision: float
    precision_interval: tuple[float, float]
    recall: float
    recall_interval: tuple[float, float]
    f1: float


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95% Wilson interval of a fraction of `hits` in `total`; (0, 1) if `total` is 0.

    >>> [round(100 * end, 1) for end in wilson(145, 153)]
    [90.0, 97.3]
    """
    if total == 0:
        return 0.0, 1.0
    # The interval does not depend on the tested fraction; this one is the cheapest.
    low, high = binomtest(hits, total, p=hits / total).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def per_class(counts: np.ndarray) -> list[ClassRow]:
    """One row per class, in the order of the labels.

    Args:
        counts: Confusion matrix, (K, K): row = given class, column = predicted class.
    """
    rows = []
    for label in range(len(counts)):
        hits, images, predicted = (
            int(n) for n in (counts[label, label], counts[label].sum(), counts[:, label].sum())
        )
        rows.append(
            ClassRow(
                label=label,
                images=images,
                predicted=predicted,
                precision=_share(hits, predicted),
                precision_interval=wilson(hits, predicted),
                recall=_share(hits, images),
                recall_interval=wilson(hits, images),
                f1=_share(2 * hits, images + predicted),
            )
        )
    return rows


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
