"""CutMix: train on images with a rectangle from another image, with labels mixed by area.

Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, section 3.1.
"""

import numpy as np
import torch
from torch import Tensor

from imagelab.problem import Problem


class CutMix:
    """Paste a rectangle of another image of the batch into every image.

    Args:
        alpha: Strength, > 0; the share that is kept is drawn from Beta(alpha, alpha), once per batch.
        p: Share of batches that are mixed, in [0, 1].
    """

    mixes_labels = True

    def __init__(self, *, alpha: float, p: float) -> None:
        self.alpha, self.p = alpha, p

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and targets (B, K) float -> the same shapes."""
        if len(images) < 2:
            raise Problem(
                "cutmix pastes one image into another, but the batch has 1: set data.batch_size to 2 or more"
            )
        if rng.random() >= self.p:
            return images, targets
        height, width = images.shape[-2:]
        cut = np.sqrt(1 - rng.beta(self.alpha, self.alpha))
        rows, columns = _span(rng, cut, height), _span(rng, cut, width)
        partner = torch.from_numpy(rng.permutation(len(images))).to(images.device, non_blocking=True)
        mixed = images.clone()
        mixed[..., rows, columns] = images[partner, :, rows, columns]
        # The share of pasted pixels, not the draw: a rectangle at the edge is cut off.
        pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return mixed, targets.lerp(targets[partner], pasted)


def _span(rng: np.random.Generator, cut: float, side: int) -> slice:
    """Places along one axis within cut * side / 2 of a random centre."""
    centre = int(rng.integers(side))
    half = int(cut * side) // 2
    return slice(max(centre - half, 0), min(centre + half, side))
