# room: detection
"""Scale jitter: show the image larger or smaller at a random place, so that objects of any size are learnt.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 3.6 (zoom in and out); Ghiasi et al. 2021,
https://arxiv.org/abs/2012.07177, section 3 (how far: large scale jitter).
"""

from typing import Literal

import torch
from torch import Tensor

from imagelab.augment.warp import Border, between, photo_border, places, warp
from imagelab.randomness import uniform


class ScaleJitter:
    """Scale the content of an image by one factor; what is larger than the image is cut at random.

    Args:
        scale: Smallest and largest factor, drawn uniformly; 2: twice as large, so that a quarter is seen.
        border: Content from beyond the edge when the image shrinks: the mirrored image, or zeros.
    """

    follows_boxes = True

    def __init__(self, *, scale: tuple[float, float], border: Literal["reflect", "zero"]) -> None:
        self.scale = (scale[0], scale[1])
        self.border: Border = border

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        factor, right, down = self._draws(keys, *images.shape[-2:])
        x, y = places(images)
        back = 1 / factor[:, None, None]
        return warp(images, (x - right[:, None, None]) * back, (y - down[:, None, None]) * back, self.border)

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:
        """Corners (B, M, 4) of boxes in pixels -> where `batch` moves them, for the same keys."""
        factor, right, down = self._draws(keys, height, width)
        shift = torch.stack([right, down, right, down], dim=-1)[:, None]
        centre = corners.new_tensor([width, height, width, height]) / 2
        return (corners - centre) * factor[:, None, None] + centre + shift

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        return A.Affine(scale=self.scale, keep_ratio=True, p=1.0, **photo_border(self.border))

    def _draws(self, keys: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """The factor of each image, and its shift to the right and down in pixels, (B,) each."""
        draws = uniform(keys, "scale_jitter", 3)
        factor = between(draws[:, 0], *self.scale)
        room = (factor - 1).abs() / 2
        return factor, between(draws[:, 1], -1, 1) * room * width, between(draws[:, 2], -1, 1) * room * height
