"""Hold labelled images in memory, where a whole batch is gathered at once."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imagelab.data.content import digest


@dataclass(frozen=True)
class Arrays:
    """Decoded images of one size.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, index of each image's class in the source's `classes`; or as
            in `contracts.Images`.
        store: Name of the cached file that holds just these images; empty: none.

    >>> three = Arrays(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), np.array([0, 1, 1]))
    >>> three.select(np.array([2, 0])).labels.tolist()
    [1, 0]
    """

    images: Tensor
    labels: np.ndarray
    store: str = ""

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"images must be (N, C, H, W) uint8, got {self.images.dtype} {tuple(self.images.shape)}"
            )
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"each image needs a label, got {len(self.labels)} labels for {len(self.images)} images"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def contents(self) -> np.ndarray:
        """A hash of the pixels of each image, (N,) uint64."""
        pixels = self.images.flatten(1).contiguous().numpy()
        return np.fromiter((digest(row.data) for row in pixels), np.uint64, len(self))

    def gather(self, index: np.ndarray) -> Tensor:
        """The images at these places, (B,) int64 -> (B, C, H, W) uint8."""
        return self.images.index_select(0, torch.from_numpy(index))

    def select(self, index: np.ndarray) -> "Arrays":
        """The images at these places, in this order."""
        return Arrays(self.gather(index), self.labels[index])

    def relabel(self, labels: np.ndarray) -> "Arrays":
        """The same images with other labels."""
        return replace(self, labels=labels)
