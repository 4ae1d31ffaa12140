"""TrivialAugment: apply one random change of random strength; as good as tuned policies, without tuning.

Source: Müller and Hutter 2021, https://arxiv.org/abs/2103.10158, section 3, with its wide strengths.
"""

import torch
from torch import Tensor

from imagelab.augment.changes import CHANGES, STRONGEST, Widest, changed
from imagelab.randomness import uniform

WIDEST = Widest(shear=0.99, translate=32, rotate=135, blend=0.99, bits=6)


class TrivialAugment:
    """Change an image by one of fourteen changes, in a random direction, with one of 31 strengths."""

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8, grey or RGB -> the same shape."""
        which, strength, direction = uniform(keys, "trivial", 3).unbind(1)
        level = (strength * (STRONGEST + 1)).long() * torch.where(direction < 0.5, -1, 1)
        return changed(images, (which * len(CHANGES)).long(), level, WIDEST)

    def transform(self, size: int) -> object:
        """The torchvision transform; any size."""
        from torchvision.transforms.v2 import InterpolationMode, TrivialAugmentWide

        return TrivialAugmentWide(num_magnitude_bins=STRONGEST + 1, interpolation=InterpolationMode.BILINEAR)
