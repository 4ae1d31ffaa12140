"""Lens: bend straight lines like wide-angle and telephoto lenses do.

Source: Brown 1966, Decentering Distortion of Lenses, Photogrammetric Engineering 32(3), the first term of
radial distortion; photos: the fisheye mode of
https://albumentations.ai/docs/api-reference/albumentations/augmentations/geometric/distortion/#OpticalDistortion.
"""

from typing import Literal

from torch import Tensor

from imagelab.augment.warp import Border, between, photo_border, places, warp
from imagelab.randomness import uniform


class Lens:
    """Distort an image like a lens, as a barrel or a pincushion; its centre and size stay.

    A pixel at radius r, where 1 is the radius of the corners, shows what was at r * (1 + k * r^2).

    Args:
        strength: Largest k, in [0, 0.3]; k is uniform in [-strength, strength], > 0 for a barrel. From 1/3 on
            the image would fold over.
        border: Content from beyond the edge: the mirrored image, or zeros.
    """

    def __init__(self, *, strength: float, border: Literal["reflect", "zero"]) -> None:
        self.strength = strength
        self.border: Border = border

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        draws = uniform(keys, "lens", 1)[:, 0]
        return bent(images, between(draws, -self.strength, self.strength), self.border)

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        limits = (-self.strength, self.strength)
        return A.OpticalDistortion(distort_limit=limits, mode="fisheye", p=1.0, **photo_border(self.border))


def bent(images: Tensor, k: Tensor, border: Border) -> Tensor:
    """Bend images (B, C, H, W) uint8 by coefficients (B,)."""
    x, y = places(images)
    corner = (images.shape[-1] ** 2 + images.shape[-2] ** 2) / 4
    further = 1 + k[:, None, None] * ((x**2 + y**2) / corner)
    return warp(images, x * further, y * further, border)
