"""Cutout: hide a square, so that the network learns from the rest of the object too.

Source: DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552, section 3. There the square may cross
the edge; here it lies inside, so that every image loses the same area.
"""

import torch
from torch import Tensor

from imagelab.augment.boxes import uncovered  # room: detection
from imagelab.augment.limits import pixels
from imagelab.problem import Problem
from imagelab.randomness import uniform


class Cutout:
    """Hide one square of an image.

    Args:
        size: Side of the square: pixels, or a share of the image's side if below 1.
        p: Share of images that lose a square, in [0, 1].
        fill: Grey value of the square, 0 (black) to 255.
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, size: float, p: float, fill: int) -> None:
        self.size = size
        self.p = p
        self.fill = fill

    def fits(self, size: int) -> str | None:
        """Why the square does not fit images of this side (in pixels), as a sentence; None if it does."""
        if pixels(self.size, size) < size:
            return None
        return (
            f"augment.cutout.size={self.size:g} pixels hides all of an image of {size}; use fewer "
            "pixels, or a share of the side such as 0.5"
        )

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        height, width = images.shape[-2:]
        if problem := self.fits(min(height, width)):
            raise Problem(problem)
        draws = uniform(keys, "cutout", 3)
        rows = self._covered(draws[:, :1], height)
        columns = self._covered(draws[:, 1:2], width)
        rows &= draws[:, 2:] < self.p
        hole = rows.byte()[:, None, :, None] * columns.byte()[:, None, None, :]
        # Byte arithmetic is three times as fast as masked_fill.
        return images * (1 - hole) + hole * self.fill

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:  # room: detection
        """Corners (B, M, 4) of boxes, which have no area any more where `batch` hides them."""
        draws = uniform(keys, "cutout", 3)
        tall, wide = pixels(self.size, height), pixels(self.size, width)
        top, left = (draws[:, 0] * (height - tall + 1)).long(), (draws[:, 1] * (width - wide + 1)).long()
        hole = torch.stack([left, top, left + wide, top + tall], dim=-1) * (draws[:, 2:] < self.p)
        return uncovered(corners, hole[:, None])

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        import albumentations as A

        side = self.size if self.size < 1 else int(self.size)
        return A.CoarseDropout(
            num_holes_range=(1, 1),
            hole_height_range=(side, side),
            hole_width_range=(side, side),
            fill=self.fill,
            p=self.p,
        )

    def _covered(self, draw: Tensor, side: int) -> Tensor:
        """Whether the square covers each place along one axis: (B, 1) -> (B, side) bool."""
        size = pixels(self.size, side)
        first = (draw * (side - size + 1)).long()
        places = torch.arange(side, device=draw.device)
        return (places >= first) & (places < first + size)
