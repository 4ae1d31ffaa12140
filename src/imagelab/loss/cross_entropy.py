"""Cross entropy: minus the logarithm of the probability of the label."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imagelab.loss.class_weights import Weight, class_weights


class CrossEntropy(nn.Module):
    """Logits (B, K) and labels (B,) int64, or shares of classes (B, K) float -> mean loss.

    Args:
        label_smoothing: Share of each label that is spread over all classes, in [0, 1).
        weight: Weights of the classes, see `class_weights`; their mean over the training images is 1.
        classes: Names of the classes.
        labels: Labels of the training images.
    """

    judges: ClassVar[tuple[str, ...]] = ("classes",)
    cross_entropy = True

    def __init__(
        self, *, label_smoothing: float, weight: Weight, classes: list[str], labels: np.ndarray
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        found = class_weights(weight, classes=classes, labels=labels)
        self.weight: Tensor | None
        self.register_buffer("weight", None if found is None else torch.tensor(found, dtype=torch.float32))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.label_smoothing
        if self.weight is None:
            return functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        # Torch would divide by the weights of the batch: the loss would not be a mean over images any more.
        weight = self.weight.to(logits.dtype)
        each = functional.cross_entropy(logits, targets, weight, reduction="none", label_smoothing=smoothing)
        return each.mean()

    def constant(self, shares: Tensor) -> Tensor:
        """The logits, alike for all images, with the lowest loss if the classes have these shares, (K,)."""
        return (shares if self.weight is None else shares * self.weight).log()
