"""Stretch: make the image wider or narrower, taller or flatter, so that proportions matter less.

Source: Simard et al. 2003, https://doi.org/10.1109/ICDAR.2003.1227801, section 2 (affine distortions).
"""

from typing import Literal

import torch
from torch import Tensor

from imagelab.augment.warp import (
    Border,
    between,
    matrices,
    photo_border,
    warp_corners,  # room: detection
    warp_linear,
)
from imagelab.randomness import uniform


class Stretch:
    """Scale the content of an image about its centre, by one factor per axis; the size of the image stays.

    Args:
        width: Smallest and largest factor of the width, within [0.1, 10], drawn uniformly; 2: twice as wide.
        height: The same for the height.
        border: Content from beyond the edge when the image shrinks: the mirrored image, or zeros.
    """

    follows_boxes = True  # room: detection

    def __init__(
        self, *, width: tuple[float, float], height: tuple[float, float], border: Literal["reflect", "zero"]
    ) -> None:
        self.width, self.height = (width[0], width[1]), (height[0], height[1])
        self.border: Border = border

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        return warp_linear(images, self._matrices(keys), self.border)

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:  # room: detection
        """Corners (B, M, 4) of boxes in pixels -> where `batch` moves them, for the same keys."""
        return warp_corners(corners, self._matrices(keys), height, width)

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        factors: dict[str, float | tuple[float, float]] = {"x": self.width, "y": self.height}
        return A.Affine(scale=factors, p=1.0, **photo_border(self.border))

    def _matrices(self, keys: Tensor) -> Tensor:
        draws = uniform(keys, "stretch", 2)
        return scaling(between(draws[:, 0], *self.width), between(draws[:, 1], *self.height))


def stretched(images: Tensor, wide: Tensor, tall: Tensor, border: Border) -> Tensor:
    """Scale what images (B, C, H, W) uint8 show by factors (B,)."""
    return warp_linear(images, scaling(wide, tall), border)


def scaling(wide: Tensor, tall: Tensor) -> Tensor:
    """The matrices (B, 2, 2) that scale places by factors (B,)."""
    none = torch.zeros_like(wide)
    return matrices(wide, none, none, tall)
