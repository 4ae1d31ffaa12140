"""Translate: shift the image, so that the network does not rely on where an object is.

Source: LeCun et al. 1998, https://doi.org/10.1109/5.726791, section III.C (shifted digits to train on).
"""

from typing import Literal

import torch  # room: detection
from torch import Tensor

from imagelab.augment.warp import Border, between, photo_border, places, warp
from imagelab.randomness import uniform


class Translate:
    """Shift an image by whole pixels, which keeps it sharp.

    Args:
        horizontal: Largest shift as a share of the width, in [0, 1); uniform to either side.
        vertical: The same as a share of the height.
        border: Content from beyond the edge: the mirrored image, or zeros.
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, horizontal: float, vertical: float, border: Literal["reflect", "zero"]) -> None:
        self.horizontal, self.vertical = horizontal, vertical
        self.border: Border = border

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        return translated(images, *self._shifts(keys, *images.shape[-2:]), self.border)

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:  # room: detection
        """Corners (B, M, 4) of boxes in pixels -> where `batch` moves them, for the same keys."""
        right, down = self._shifts(keys, height, width)
        return corners + torch.stack([right, down, right, down], dim=-1)[:, None]

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        limits: dict[str, float | tuple[float, float]] = {
            "x": (-self.horizontal, self.horizontal),
            "y": (-self.vertical, self.vertical),
        }
        return A.Affine(translate_percent=limits, p=1.0, **photo_border(self.border))

    def _shifts(self, keys: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """The shift of each image to the right and down, (B,) each, in pixels."""
        draws = between(uniform(keys, "translate", 2), -1, 1)
        return (draws[:, 0] * self.horizontal * width).round(), (draws[:, 1] * self.vertical * height).round()


def translated(images: Tensor, right: Tensor, down: Tensor, border: Border) -> Tensor:
    """Shift images (B, C, H, W) uint8 by (B,) pixels."""
    x, y = places(images)
    return warp(images, x - right[:, None, None], y - down[:, None, None], border)
