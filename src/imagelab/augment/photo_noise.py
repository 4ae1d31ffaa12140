"""Add rounded Gaussian noise to one photo; albumentations truncates the noise, which weakens it.

Source: albumentations.GaussNoise 2.0.8; it turns a standard deviation of 1 grey level into 0.68, 3 into 2.63.
"""

from typing import Any

import albumentations
import numpy as np


class PhotoNoise(albumentations.GaussNoise):
    """The noise is drawn by albumentations."""

    def apply(self, img: np.ndarray, noise_map: np.ndarray, **params: Any) -> np.ndarray:
        """(H, W, C) uint8 and float noise of that shape -> (H, W, C) uint8."""
        return np.rint(img + noise_map).clip(0, 255).astype(np.uint8)
