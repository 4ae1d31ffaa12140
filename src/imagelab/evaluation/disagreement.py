"""Measure how often the members of an ensemble disagree; if they never do, averaging gains nothing.

Source: Kuncheva & Whitaker 2003, https://doi.org/10.1023/A:1022859003006, section 2; Fort et al. 2019,
https://arxiv.org/abs/1912.02757, section 4.
"""

import numpy as np


def disagreement(predicted: np.ndarray) -> float:
    """The fraction of images for which not all members predict the same class; `predicted`: (M, N).

    >>> disagreement(np.array([[0, 1, 2, 2], [0, 1, 1, 2]]))
    0.25
    """
    return float((predicted != predicted[0]).any(axis=0).mean())


def pairwise(predicted: np.ndarray) -> np.ndarray:
    """The same for each pair of members, (M, M), in [0, 1]."""
    return np.array([(one != predicted).mean(axis=1) for one in predicted])
