"""Warp images: take each pixel from elsewhere in the image, as rotations, shifts, stretches and lenses do.

Places are (x, y) in pixels from the centre of the image, x to the right and y down.

Source: Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025, section 3.3 (bilinear sampling at a grid).
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Border = Literal["reflect", "zero"]

PADDING = {"reflect": "reflection", "zero": "zeros", "edge": "border"}


def places(images: Tensor) -> tuple[Tensor, Tensor]:
    """The pixel positions of images (B, C, H, W): x (1, 1, W) and y (1, H, 1).

    >>> places(torch.zeros(1, 1, 2, 3))[0].tolist(), places(torch.zeros(1, 1, 2, 3))[1].tolist()
    ([[[-1.0, 0.0, 1.0]]], [[[-0.5], [0.5]]])
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    return x[None, None], y[None, :, None]


def warp(images: Tensor, x: Tensor, y: Tensor, border: Border | Literal["edge"]) -> Tensor:
    """Take each pixel from another position, with bilinear interpolation.

    Args:
        images: (B, C, H, W) uint8.
        x: Source position of each pixel of the result, broadcastable to (B, H, W).
        y: The same for y.
        border: Content beyond the edge: the mirrored image, zeros, or the repeated edge.
    """
    count, _, height, width = images.shape
    shape = (count, height, width)
    grid = torch.stack(
        [(x / max((width - 1) / 2, 0.5)).expand(shape), (y / max((height - 1) / 2, 0.5)).expand(shape)],
        dim=-1,
    )
    # With aligned corners, mirroring does not repeat the edge; `Crop` does the same.
    looked_up = F.grid_sample(images.float(), grid, padding_mode=PADDING[border], align_corners=True)
    return looked_up.round_().byte()


def warp_linear(images: Tensor, matrix: Tensor, border: Border) -> Tensor:
    """Map images (B, C, H, W) uint8 about their centres; matrix (B, 2, 2) maps (x, y) to its new position."""
    x, y = places(images)
    # `inv` would make the host wait for the device, to ask whether there is an inverse.
    back = torch.linalg.inv_ex(matrix).inverse[:, :, :, None, None]
    return warp(images, back[:, 0, 0] * x + back[:, 0, 1] * y, back[:, 1, 0] * x + back[:, 1, 1] * y, border)


def warp_corners(corners: Tensor, matrix: Tensor, height: int, width: int) -> Tensor:  # room: detection
    """Where `warp_linear` moves boxes: corners (B, M, 4) in pixels -> the boxes around their moved corners.

    Args:
        corners: Left, top, right and bottom of each box.
        matrix: (B, 2, 2).
        height: Height of the image in pixels.
        width: Its width.
    """
    left, top, right, bottom = corners.unbind(-1)
    points = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=-1).unflatten(-1, (4, 2))
    centre = corners.new_tensor([width, height]) / 2
    moved = torch.einsum("bij,bmpj->bmpi", matrix, points - centre) + centre
    return torch.cat([moved.amin(dim=-2), moved.amax(dim=-2)], dim=-1)


def between(draws: Tensor, low: float, high: float) -> Tensor:
    """Draws in [0, 1) mapped to [low, high)."""
    return low + (high - low) * draws


def matrices(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    """Matrices (B, 2, 2) from their entries (B,), row by row."""
    return torch.stack([xx, xy, yx, yy], dim=-1).view(-1, 2, 2)


def photo_border(border: Border) -> dict[str, Any]:
    """The arguments of albumentations for the same border."""
    import cv2

    return {"border_mode": cv2.BORDER_REFLECT_101 if border == "reflect" else cv2.BORDER_CONSTANT, "fill": 0}
