"""Resize one photo to a short side drawn from a list, fast and with Pillow's antialiasing.

Source: albumentations.SmallestMaxSize 2.0.8 for the draws, `photo_crop` for the resizing.
"""

from typing import Any

import albumentations
import numpy as np

from imagelab.augment.photo_crop import smoothly_resized


class PhotoScale(albumentations.SmallestMaxSize):
    """Both sides are scaled by the short side's factor; OpenCV would alias, or take three times as long."""

    def apply(self, img: np.ndarray, scale: float, **params: Any) -> np.ndarray:
        """(H, W, C) uint8 -> (scale * H, scale * W, C) uint8."""
        return smoothly_resized(img, round(img.shape[0] * scale), round(img.shape[1] * scale))
