"""Say how far an image lies from known ones in the features of a network: by its k-th nearest neighbour.

Source: Sun et al. 2022, https://arxiv.org/abs/2204.06507, section 3 (distances between features of length 1).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.metrics.certainty import quantiles, share_below

COUNT = 5  # k: the paper finds small ones as good as large ones if few images are known
LEAST = 2  # images


@dataclass(frozen=True, eq=False)
class Nearness:
    """The features of known images, of the val split.

    Args:
        features: Features of length 1, (N, F) float16, N >= 2.
        distances: Distance of each of them to its k-th nearest other one: quantiles, see `quantiles`.
        count: k.
    """

    features: Tensor
    distances: list[float]
    count: int

    def unlike(self, features: np.ndarray) -> np.ndarray:
        """The share of the known images that are nearer to the others than each image is, (B,) in [0, 1].

        Args:
            features: Features of the images, (B, F) float.
        """
        given = _unit(torch.from_numpy(features))
        return share_below(self.distances, _distances(given, self.features, self.count).numpy())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return {"features": self.features, "distances": self.distances, "count": self.count}


def nearness(features: Tensor, count: int = COUNT) -> Nearness:
    """Measure known images by their features, (N, F) float, N >= 2."""
    known = _unit(features).half()
    count = min(count, len(known) - 1)
    own = _distances(known.float(), known, count + 1)  # each image is its own nearest one
    return Nearness(known, quantiles(own.numpy()), count)


def _unit(features: Tensor) -> Tensor:
    return functional.normalize(features.float().cpu(), dim=1)


def _distances(features: Tensor, known: Tensor, count: int) -> Tensor:
    """Distance of each image (B, F) to its `count`-th nearest known one (N, F), (B,)."""
    return torch.cdist(features, known.float()).kthvalue(min(count, len(known)), dim=1).values
