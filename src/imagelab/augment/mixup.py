"""Mixup: train on blends of two images and of their labels.

Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, section 2.
"""

import numpy as np
import torch
from torch import Tensor

from imagelab.problem import Problem


class Mixup:
    """Blend every image of a batch with another image of the batch.

    Args:
        alpha: Strength, > 0; the share of the first image is drawn from Beta(alpha, alpha), once per batch.
        p: Share of batches that are blended, in [0, 1].
    """

    mixes_labels = True

    def __init__(self, *, alpha: float, p: float) -> None:
        self.alpha, self.p = alpha, p

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and targets (B, K) float -> the same shapes."""
        if len(images) < 2:
            raise Problem(
                "mixup blends pairs of images, but the batch has 1: set data.batch_size to 2 or more"
            )
        if rng.random() >= self.p:
            return images, targets
        share = rng.beta(self.alpha, self.alpha)
        partner = torch.from_numpy(rng.permutation(len(images))).to(images.device, non_blocking=True)
        return images[partner].lerp_(images, share), targets[partner].lerp_(targets, share)
