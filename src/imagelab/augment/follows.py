# room: detection
"""Define what an augmentation also has if it may be used with boxes."""

from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor


@runtime_checkable
class FollowsBoxes(Protocol):
    """An augmentation of single images that tells where boxes go.

    follows_boxes: True, so that the config check knows it, too.
    """

    follows_boxes: bool

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:
        """Corners (B, M, 4) of boxes in pixels -> where `batch` moves them; nothing left: no area."""
        ...


@runtime_checkable
class CutsBoxes(Protocol):
    """An augmentation of single images that looks at their boxes before it decides what to do.

    follows_boxes, reads_boxes: True, so that the config check knows it, too.
    """

    follows_boxes: bool
    reads_boxes: bool

    def cut_boxes(self, images: Tensor, labels: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) uint8, labels (B, M, 6) -> the same of what is left of each image."""
        ...


@runtime_checkable
class MixesBoxes(Protocol):
    """An augmentation that blends the images of a batch, and tells which boxes they then have.

    follows_boxes: True, so that the config check knows it, too.
    """

    follows_boxes: bool

    def mix_boxes(self, images: Tensor, boxes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float, labels (B, M, 6) -> the same, perhaps with more rows; draws: `rng`."""
        ...
