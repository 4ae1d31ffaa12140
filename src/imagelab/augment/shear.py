"""Shear: slant the image like italics, if a slanted object is still the same object.

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


class Shear:
    """Slant the vertical and horizontal lines of an image about its centre; its size stays.

    Args:
        horizontal: Largest lean of vertical lines, in degrees, in [0, 44]; uniform to either side, > 0 to the
            right.
        vertical: Largest tilt of horizontal lines, likewise; > 0: rising to the right.
        border: Content from beyond the edge: the mirrored image, or zeros.
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, horizontal: float, vertical: float, border: Literal["reflect", "zero"]) -> None:
        self.horizontal, self.vertical = horizontal, vertical
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

        limits: dict[str, float | tuple[float, float]] = {
            "x": (-self.horizontal, self.horizontal),
            "y": (-self.vertical, self.vertical),
        }
        return A.Affine(shear=limits, p=1.0, **photo_border(self.border))

    def _matrices(self, keys: Tensor) -> Tensor:
        draws = between(uniform(keys, "shear", 2), -1, 1)
        return slanting(draws[:, 0] * self.horizontal, draws[:, 1] * self.vertical)


def sheared(images: Tensor, horizontal: Tensor, vertical: Tensor, border: Border) -> Tensor:
    """Slant images (B, C, H, W) uint8 by angles (B,) in degrees."""
    return warp_linear(images, slanting(horizontal, vertical), border)


def slanting(horizontal: Tensor, vertical: Tensor) -> Tensor:
    """The matrices (B, 2, 2) that slant places by angles (B,) in degrees."""
    one = torch.ones_like(horizontal)
    lean = torch.tan(horizontal.deg2rad())
    rise = torch.tan(vertical.deg2rad())
    return matrices(one, -lean, -rise, one)
