# room: detection
"""Choose the window of a crop by the boxes in it, so that objects are cut to different degrees.

Source: Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 2.2 (data augmentation). The number of
tries, and that the centre of a box must be inside, are those of torchvision's RandomIoUCrop.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from imagelab.augment.warp import between, places, warp
from imagelab.box_labels import CORNERS, there

TRIES = 40  # windows drawn per image; if none fits, the image stays whole
NUMBERS = 4  # draws per window: area, aspect, left, top
DRAWS = 1 + TRIES * NUMBERS


class BoxCrop(NamedTuple):
    """How windows are drawn.

    overlaps: Least IoU of the window with at least one box. One of these, no limit and the whole image are
    equally likely. scale: Smallest and largest area of the window as a share of the image. ratio: Smallest
    and largest width / height of the window.
    """

    overlaps: Sequence[float]
    scale: tuple[float, float]
    ratio: tuple[float, float]

    def windows(self, labels: Tensor, draws: Tensor, height: int, width: int) -> Tensor:
        """The window of each image: left, top, right and bottom in pixels, (B, 4).

        Args:
            labels: (B, M, 6) in pixels of the images; one without boxes gets any window.
            draws: (B, DRAWS) in [0, 1).
            height: Height of the images in pixels.
            width: Their width.
        """
        limits = labels.new_tensor([0.0, *self.overlaps, 2.0])  # no IoU is 2: the image stays whole
        least = limits[(draws[:, 0] * len(limits)).long()]
        tried, inside = self._tried(draws[:, 1:].unflatten(1, (TRIES, NUMBERS)), height, width)
        has_box = there(labels)
        overlap, centred = _compare(tried, labels[..., CORNERS])
        fits = (overlap * has_box[:, None]).amax(dim=2) >= least[:, None]
        fits &= (centred & has_box[:, None]).any(dim=2)
        fits |= ~has_box.any(dim=1, keepdim=True) & (least < 2)[:, None]
        fits &= inside
        first = tried[torch.arange(len(tried), device=tried.device), fits.int().max(dim=1).indices]
        whole = first.new_tensor([0, 0, width, height])
        return torch.where(fits.any(dim=1, keepdim=True), first, whole)

    def _tried(self, draws: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Windows (B, T, 4) in pixels by draws (B, T, 4), and which of them are inside the image."""
        area, aspect, across, down = draws.unbind(-1)
        area = between(area, *self.scale) * height * width
        low, high = (draws.new_tensor(end).log() for end in self.ratio)
        ratio = (low + (high - low) * aspect).exp()
        wide, tall = (area * ratio).sqrt(), (area / ratio).sqrt()
        left, top = across * (width - wide), down * (height - tall)
        windows = torch.stack([left, top, left + wide, top + tall], dim=-1)
        return windows, (wide <= width) & (tall <= height)


def cut_windows(images: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """Images (B, C, H, W) uint8 -> what is inside their windows (B, 4), enlarged to (B, C, height, width)."""
    rows, columns = images.shape[-2:]
    left, top, right, bottom = windows[..., None, None].unbind(1)
    x, y = places(images.new_empty(1, 1, height, width))
    x = (left + right - columns) / 2 + x * (right - left) / width
    y = (top + bottom - rows) / 2 + y * (bottom - top) / height
    return warp(images, x, y, "edge")


def moved_corners(corners: Tensor, windows: Tensor, height: int, width: int) -> Tensor:
    """Corners (B, M, 4) in pixels of images -> in pixels of their windows (B, 4), enlarged to this size."""
    first, sides = windows[:, None, :2], windows[:, None, 2:] - windows[:, None, :2]
    factor = corners.new_tensor([width, height]) / sides
    return torch.cat([(corners[..., :2] - first) * factor, (corners[..., 2:] - first) * factor], dim=-1)


def _compare(windows: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """IoU of windows (B, T, 4) with boxes (B, M, 4), and whether a box's centre is inside, (B, T, M) each."""
    ours, boxes = windows[:, :, None], corners[:, None]
    sides = torch.minimum(ours[..., 2:], boxes[..., 2:]) - torch.maximum(ours[..., :2], boxes[..., :2])
    shared = sides.clamp(min=0).prod(dim=-1)
    areas = [(one[..., 2:] - one[..., :2]).prod(dim=-1) for one in (ours, boxes)]
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    inside = ((centres > ours[..., :2]) & (centres < ours[..., 2:])).all(dim=-1)
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6), inside
