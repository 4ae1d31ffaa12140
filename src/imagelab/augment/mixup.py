"""Mixup: train on blends of two images and of their labels.

Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, section 2.
"""

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.boxes import VISIBLE, chosen  # room: detection
from imagelab.problem import Problem


class Mixup:
    """Blend every image of a batch with another image of the batch.

    Args:
        alpha: Strength, > 0; the share of the first image is drawn from Beta(alpha, alpha), once per batch.
        p: Share of batches that are blended, in [0, 1].
    """

    mixes_labels = True
    follows_boxes = True  # room: detection

    def __init__(self, *, alpha: float, p: float) -> None:
        self.alpha, self.p = alpha, p

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and targets (B, K) float -> the same shapes."""
        drawn = self._draw(images, rng)
        if drawn is None:
            return images, targets
        share, partner = drawn
        return images[partner].lerp_(images, share), targets[partner].lerp_(targets, share)

    def mix_boxes(  # room: detection
        self, images: Tensor, boxes: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and labels (B, M, 6) -> blends, and the boxes of both, (B, 2 M, 6).

        The boxes of an image are left out if less than `VISIBLE` of it shows.
        """
        drawn = self._draw(images, rng)
        if drawn is None:
            return images, boxes
        share, partner = drawn
        both = torch.cat([boxes, boxes[partner]], dim=1)
        first = torch.arange(both.shape[1], device=boxes.device) < boxes.shape[1]
        seen = torch.where(first, share, 1 - share) >= VISIBLE
        return images[partner].lerp_(images, share), chosen(both, seen.expand(both.shape[:2]))

    def _draw(self, images: Tensor, rng: np.random.Generator) -> tuple[float, Tensor] | None:
        """The share of the first image and the partner of each, or None for a batch that stays as it is."""
        if len(images) < 2:
            raise Problem(
                "mixup blends pairs of images, but the batch has 1: set data.batch_size to 2 or more"
            )
        if rng.random() >= self.p:
            return None
        share = rng.beta(self.alpha, self.alpha)
        return share, torch.from_numpy(rng.permutation(len(images))).to(images.device, non_blocking=True)
