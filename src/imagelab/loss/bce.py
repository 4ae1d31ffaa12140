"""Binary cross entropy: each class is a question of its own, answered by a sigmoid.

Source: Wightman et al. 2021, https://arxiv.org/abs/2110.00476, section 2.1 (for one class per image).
"""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imagelab.loss.class_weights import Weight, side_weights


class BinaryCrossEntropy(nn.Module):
    """Logits (B, K) and labels (B,) int64, or tags or shares of classes (B, K) float -> mean over all B * K.

    Args:
        label_smoothing: Share of each answer that is spread over yes and no, in [0, 1).
        weight: Weights of images with a class, relative to those without it, see `side_weights`; for each
            class, their mean over the training images is 1.
        classes: Names of the classes.
        labels: Labels of the training images, (N,) int64 or (N, K) bool.
    """

    judges: ClassVar[tuple[str, ...]] = ("classes", "tags")

    def __init__(
        self, *, label_smoothing: float, weight: Weight, classes: list[str], labels: np.ndarray
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        found = side_weights(weight, classes=classes, labels=labels)
        self.weight: Tensor | None
        self.register_buffer("weight", None if found is None else torch.tensor(found, dtype=torch.float32))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = logits.float()
        if not targets.is_floating_point():
            targets = functional.one_hot(targets, logits.shape[1])
        given = targets.float()
        answers = given * (1 - self.label_smoothing) + self.label_smoothing / 2
        costs = functional.binary_cross_entropy_with_logits(logits, answers, reduction="none")
        if self.weight is not None:
            costs = costs * torch.lerp(self.weight[0], self.weight[1], given)
        return costs.mean()

    def constant(self, shares: Tensor) -> Tensor:
        """The logits, alike for all images, with the lowest loss if the classes have these shares, (K,)."""
        no, yes = (1.0, 1.0) if self.weight is None else self.weight
        return (shares * yes).log() - ((1 - shares) * no).log()
