"""Focal loss: cross entropy that gives an image less weight, the surer the network is of its class.

Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 3.2, equation 5.
"""

from typing import ClassVar

import numpy as np
from torch import Tensor

from imagelab.loss.class_weights import Weight
from imagelab.loss.cross_entropy import CrossEntropy

TINY = 1e-12  # of 1 - p: a power below 1 has an infinite slope at 0


class Focal(CrossEntropy):
    """Logits (B, K) and labels (B,) int64, or shares of classes (B, K) float -> mean loss.

    Args:
        gamma: Exponent of 1 - p, the factor of an image, >= 0; 0 is cross entropy.
        weight: Weights of the classes, see `class_weights`; their mean over the training images is 1.
        classes: Names of the classes.
        labels: Labels of the training images.
    """

    judges: ClassVar[tuple[str, ...]] = ("classes",)
    cross_entropy = False

    def __init__(self, *, gamma: float, weight: Weight, classes: list[str], labels: np.ndarray) -> None:
        super().__init__(label_smoothing=0.0, weight=weight, classes=classes, labels=labels)
        self.gamma = gamma

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        logs = logits.float().log_softmax(dim=1)
        costs = -logs * (1 - logs.exp()).clamp_min(TINY) ** self.gamma
        if self.weight is not None:
            costs = costs * self.weight
        if targets.is_floating_point():
            return (costs * targets).sum(dim=1).mean()
        return costs.gather(1, targets[:, None]).mean()
