"""Rotate: turn the image about its centre, if a slightly rotated object is still the same object.

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


class Rotate:
    """Rotate each image by its own angle; its size stays.

    Args:
        degrees: Largest angle, in [0, 180]; the angle is uniform in [-degrees, degrees], > 0 anticlockwise.
        border: Content from beyond the edge: the mirrored image, or zeros.
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, degrees: float, border: Literal["reflect", "zero"]) -> None:
        self.degrees = degrees
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

        return A.Affine(rotate=(-self.degrees, self.degrees), p=1.0, **photo_border(self.border))

    def _matrices(self, keys: Tensor) -> Tensor:
        draws = uniform(keys, "rotate", 1)[:, 0]
        return turning(between(draws, -self.degrees, self.degrees))


def rotated(images: Tensor, degrees: Tensor, border: Border) -> Tensor:
    """Rotate images (B, C, H, W) uint8 anticlockwise by angles (B,) in degrees."""
    return warp_linear(images, turning(degrees), border)


def turning(degrees: Tensor) -> Tensor:
    """The matrices (B, 2, 2) that turn places anticlockwise by angles (B,) in degrees."""
    cos = torch.cos(degrees.deg2rad())
    sin = torch.sin(degrees.deg2rad())
    return matrices(cos, sin, -sin, cos)
