"""Stretch: make the image wider or narrower, taller or flatter, so that proportions matter less.

Source: Simard et al. 2003, https://doi.org/10.1109/ICDAR.2003.1227801, section 2 (affine distortions).
"""

from typing import Literal

import torch
from torch import Tensor

from imagelab.augment.warp import Border, between, matrices, photo_border, warp_linear
from imagelab.randomness import uniform


class Stretch:
    """Scale the content of an image about its centre, by one factor per axis; the size of the image stays.

    Args:
        width: Smallest and largest factor of the width, within [0.1, 10], drawn uniformly; 2: twice as wide.
        height: The same for the height.
        border: Content from beyond the edge when the image shrinks: the mirrored image, or zeros.
    """

    def __init__(
        self, *, width: tuple[float, float], height: tuple[float, float], border: Literal["reflect", "zero"]
    ) -> None:
        self.width, self.height = (width[0], width[1]), (height[0], height[1])
        self.border: Border = border

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        draws = uniform(keys, "stretch", 2)
        wide = between(draws[:, 0], *self.width)
        tall = between(draws[:, 1], *self.height)
        return stretched(images, wide, tall, self.border)

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        factors: dict[str, float | tuple[float, float]] = {"x": self.width, "y": self.height}
        return A.Affine(scale=factors, p=1.0, **photo_border(self.border))


def stretched(images: Tensor, wide: Tensor, tall: Tensor, border: Border) -> Tensor:
    """Scale what images (B, C, H, W) uint8 show by factors (B,)."""
    none = torch.zeros_like(wide)
    return warp_linear(images, matrices(wide, none, none, tall), border)
