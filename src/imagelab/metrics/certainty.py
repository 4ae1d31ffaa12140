"""Say how sure a classifier is: sets of classes with a promised coverage, and how unlike val an image is.

Source: Sadinle et al. 2019, https://arxiv.org/abs/1609.00451 (sets by a threshold on probabilities);
Liu et al. 2020, https://arxiv.org/abs/2010.03759, equation 4 (energy).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

POINTS = 1000  # most steps of a stored distribution: then levels are exact to a thousandth


@dataclass(frozen=True)
class Certainty:
    """What val says of a set of weights.

    Args:
        images: Number of images of val.
        scores: 1 minus the probability of the true class: quantiles over val, see `quantiles`.
        energies: Energies of the images, the same.
    """

    images: int
    scores: list[float]
    energies: list[float]

    def sets(self, probabilities: np.ndarray, level: float) -> np.ndarray:
        """Which classes are in the set of each image, (B, K) bool; the likeliest one always is.

        For new images like those of val, the true class is in the set with a probability of at least `level`.

        Args:
            probabilities: (B, K) float.
            level: Promised coverage, in (0, 1).
        """
        rank = math.ceil(round((self.images + 1) * level, 9))
        bound = math.inf
        if rank <= self.images:
            bound = self.scores[math.ceil(rank * (len(self.scores) - 1) / self.images)]
        return (1 - probabilities <= bound) | (probabilities == probabilities.max(axis=1, keepdims=True))

    def unlike(self, energies: np.ndarray) -> np.ndarray:
        """The share of val that is less unlike what the network knows than each image, (B,) in [0, 1]."""
        return share_below(self.energies, energies)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return asdict(self)


def certainty(outputs: Tensor, probabilities: Tensor, labels: Tensor) -> Certainty:
    """Measure a split of N >= 1 images.

    Args:
        outputs: Logits, (N, K) float.
        probabilities: (N, K) float.
        labels: True classes, (N,) int64.
    """
    scores = 1 - probabilities.gather(1, labels[:, None])[:, 0]
    return Certainty(len(labels), quantiles(scores.numpy()), quantiles(energy(outputs).numpy()))


def energy(outputs: Tensor) -> Tensor:
    """Logits (B, K) -> energies (B,): low for images that a class claims, high for those that none does."""
    return -torch.logsumexp(outputs.float(), dim=1)


def share_below(steps: list[float], values: np.ndarray) -> np.ndarray:
    """The share of a distribution, as `quantiles` stores it, that is smaller than each value, (B,) in [0, 1].

    >>> share_below([1.0, 1.0, 2.0, 3.0], np.array([0.5, 1.5, 9.0])).round(2).tolist()
    [0.0, 0.33, 1.0]
    """
    return np.searchsorted(np.array(steps[1:]), values, side="left") / (len(steps) - 1)


def quantiles(values: np.ndarray) -> list[float]:
    """Of N values the smallest, then all of them in order; of more than 1,000, every thousandth of the ranks.

    >>> quantiles(np.array([3.0, 1.0, 2.0]))
    [1.0, 1.0, 2.0, 3.0]
    """
    ordered = np.sort(values.astype(np.float64))
    steps = min(POINTS, len(ordered))
    ranks = np.maximum(np.ceil(np.arange(steps + 1) * len(ordered) / steps).astype(int), 1)
    return ordered[ranks - 1].tolist()
