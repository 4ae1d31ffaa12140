"""Crop a random window of one photo, decoded as large as the window needs, and resize it with antialiasing.

Source: Szegedy et al. 2015, https://arxiv.org/abs/1409.4842, section 6, drawn as in torchvision's
RandomResizedCrop; the antialiased resize of uint8 images in torch, https://github.com/uploadcare/pillow-simd.
"""

import math
import random

import numpy as np
import torch
from torch.nn import functional

TRIES = 10  # windows that do not fit into the photo before the largest one in its centre is taken


class PhotoCrop:
    """Cut out a window of random area and aspect, and resize it to a square.

    Args:
        side: Side of the result, in pixels.
        scale: Smallest and largest area of the window as a share of the photo, in (0, 1].
        ratio: Smallest and largest width / height of the window in the photo.
    """

    def __init__(self, *, side: int, scale: tuple[float, float], ratio: tuple[float, float]) -> None:
        self.side, self.scale, self.ratio = side, scale, ratio

    def short_side(self, height: int, width: int, seed: int) -> int:
        """The short side that a photo must be decoded to so that its window is not enlarged, in pixels."""
        left, top, right, bottom = self.window(height, width, seed)
        return math.ceil(min(height, width) * self.side / min(right - left, bottom - top))

    def cut(self, photo: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, C) uint8 -> (side, side, C) uint8."""
        left, top, right, bottom = self.window(photo.shape[0], photo.shape[1], seed)
        return smoothly_resized(photo[top:bottom, left:right], self.side, self.side)

    def window(self, height: int, width: int, seed: int) -> tuple[int, int, int, int]:
        """The window's left, top, right and bottom in pixels: the same part of a photo at every size."""
        rng = random.Random(seed)
        shape = width / height
        low, high = (math.log(end) for end in self.ratio)
        for _ in range(TRIES):
            area = rng.uniform(*self.scale)
            ratio = math.exp(rng.uniform(low, high))
            wide = math.sqrt(area * ratio / shape)
            tall = math.sqrt(area / ratio * shape)
            across, down = rng.random(), rng.random()
            if wide <= 1 and tall <= 1:
                break
        else:
            ratio = min(max(shape, self.ratio[0]), self.ratio[1])
            wide = min(1.0, ratio / shape)
            tall = min(1.0, shape / ratio)
            across = 0.5
            down = 0.5
        (left, right), (top, bottom) = _ends(width, wide, across), _ends(height, tall, down)
        return left, top, right, bottom


def _ends(side: int, share: float, place: float) -> tuple[int, int]:
    """The first pixel of a window along one side, and the one after its last; `place` is in [0, 1]."""
    length = max(1, round(share * side))
    first = round(place * (1 - share) * side)
    return min(first, side - length), min(first, side - length) + length


def smoothly_resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, C) uint8 -> (height, width, C) uint8, without aliasing when it shrinks."""
    pixels = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
    resized = functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()
