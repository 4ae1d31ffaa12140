"""Flip: mirror left to right, if a mirrored object is still the same object.

Source: Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, section 4.1.
"""

import torch
from torch import Tensor

from imagelab.randomness import uniform


class Flip:
    """Mirror an image left to right.

    Args:
        p: Share of images that are mirrored, in [0, 1].
    """

    def __init__(self, *, p: float) -> None:
        self.p = p

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        count = len(images)
        mirrored = uniform(keys, "flip", 1)[:, 0] < self.p
        # Copy whole images from one of two places: twice as fast as torch.where on pixels.
        place = torch.arange(count, device=images.device) + mirrored * count
        return torch.cat([images, images.flip(-1)]).index_select(0, place)

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        return A.HorizontalFlip(p=self.p)
