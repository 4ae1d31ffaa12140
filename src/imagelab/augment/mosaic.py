# room: detection
"""Mosaic: put windows of four images together, so that objects are seen in other surroundings and cut off.

Source: Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934, section 3.3. There images are also scaled;
here they keep their scale, as for `scale_jitter`.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.boxes import placed
from imagelab.box_labels import CORNERS
from imagelab.problem import Problem

LEAST = 0.25  # share of a side that each of two windows takes at least


class Mosaic:
    """Compose every image of windows of itself and three others; where they meet is drawn once per batch.

    Args:
        p: Share of batches that are changed, in [0, 1].
    """

    mixes_labels = True
    follows_boxes = True

    def __init__(self, *, p: float) -> None:
        self.p = p

    def mix(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and targets (B, K) float -> the same shapes."""
        if self._rests(images, rng):
            return images, targets
        mixed, shares = images.clone(), torch.zeros_like(targets)
        for source, here, there in _windows(images, rng):
            mixed[(..., *here)] = images[source][(..., *there)]
            share = _length(here[0]) * _length(here[1]) / images[0, 0].numel()
            shares += targets[source] * share
        return mixed, shares

    def mix_boxes(self, images: Tensor, boxes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float and labels (B, M, 6) -> the same shape, and labels (B, 4 M, 6)."""
        if self._rests(images, rng):
            return images, boxes
        mixed = images.clone()
        parts = []
        for source, here, there in _windows(images, rng):
            mixed[(..., *here)] = images[source][(..., *there)]
            parts.append(_seen(boxes[source], here, there))
        return mixed, torch.cat(parts, dim=1)

    def _rests(self, images: Tensor, rng: np.random.Generator) -> bool:
        if len(images) < 2:
            raise Problem(
                "mosaic puts several images together, but the batch has 1: set data.batch_size to 2 or more"
            )
        return rng.random() >= self.p


Window = tuple[slice, slice]  # rows and columns


def _windows(images: Tensor, rng: np.random.Generator) -> Iterator[tuple[Tensor, Window, Window]]:
    """Each of four windows: its images, where it is put, and where it is taken from."""
    height, width = images.shape[-2:]
    row, column = (round(length * rng.uniform(LEAST, 1 - LEAST)) for length in (height, width))
    for number, (rows, columns) in enumerate(
        (rows, columns)
        for rows in (slice(0, row), slice(row, height))
        for columns in (slice(0, column), slice(column, width))
    ):
        order = rng.permutation(len(images)) if number else np.arange(len(images))
        top = int(rng.integers(height - _length(rows) + 1))
        left = int(rng.integers(width - _length(columns) + 1))
        source = torch.from_numpy(order).to(images.device, non_blocking=True)
        yield source, (rows, columns), (slice(top, top + _length(rows)), slice(left, left + _length(columns)))


def _seen(boxes: Tensor, here: Window, there: Window) -> Tensor:
    """The boxes (B, M, 6) of images of which a window is seen elsewhere."""
    taken = boxes.new_tensor([there[1].start, there[0].start] * 2)
    inside = placed(boxes, boxes[..., CORNERS] - taken, _length(here[0]), _length(here[1]))
    put = boxes.new_tensor([here[1].start, here[0].start] * 2)
    kept = inside[..., :1] >= 0
    inside[..., CORNERS] = (inside[..., CORNERS] + put) * kept
    return inside


def _length(span: slice) -> int:
    return span.stop - span.start
