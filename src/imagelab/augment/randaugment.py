"""RandAugment: apply several random changes of equal strength, so that two numbers tune them all.

Source: Cubuk et al. 2019, https://arxiv.org/abs/1909.13719, section 3.
"""

import torch
from torch import Tensor

from imagelab.augment.changes import CHANGES, Widest, changed
from imagelab.randomness import uniform

WIDEST = Widest(shear=0.3, translate=150 / 331, rotate=30, blend=0.9, bits=4)


class RandAugment:
    """Change an image several times, each time by one of fourteen changes in a random direction.

    Args:
        num_ops: Number of changes per image, >= 1.
        magnitude: Strength of each change, 0 to 30.
    """

    def __init__(self, *, num_ops: int, magnitude: int) -> None:
        self.num_ops, self.magnitude = num_ops, magnitude

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8, grey or RGB -> the same shape."""
        draws = uniform(keys, "randaugment", 2 * self.num_ops)
        for pair in draws.split(2, dim=1):
            which, direction = pair.unbind(1)
            level = torch.where(direction < 0.5, -self.magnitude, self.magnitude)
            images = changed(images, (which * len(CHANGES)).long(), level, WIDEST)
        return images

    def transform(self, size: int) -> object:
        """The torchvision transform; any size."""
        from torchvision.transforms.v2 import InterpolationMode, RandAugment

        return RandAugment(
            num_ops=self.num_ops, magnitude=self.magnitude, interpolation=InterpolationMode.BILINEAR
        )
