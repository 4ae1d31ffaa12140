"""Jitter the colours of one photo as torchvision does, by one pass over its pixels per change.

Source: torchvision's ColorJitter, as in `color_jitter`. Brightness, contrast and saturation are affine in the
colour of a pixel, so OpenCV computes each in integers; the hue has 256 steps.
"""

import random

import cv2
import numpy as np

LUMA = np.array([0.2989, 0.587, 0.114])  # of red, green and blue in torchvision's grey
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


class PhotoJitter:
    """Draw four factors and the order of the four changes, and apply those that have a strength.

    Args:
        strengths: Strengths of brightness, contrast, saturation and hue, as in `ColorJitter`.
    """

    def __init__(self, *, strengths: tuple[float, float, float, float]) -> None:
        self.strengths = strengths

    def change_photo(self, photo: np.ndarray, seed: int) -> np.ndarray:
        """(H, W, C) uint8 -> the same shape; only brightness and contrast change if it is not RGB."""
        rng = random.Random(seed)
        amounts = [rng.uniform(-most, most) for most in self.strengths]
        order = [BRIGHTNESS, CONTRAST, SATURATION, HUE]
        rng.shuffle(order)
        for which in order:
            if self.strengths[which] and (which in (BRIGHTNESS, CONTRAST) or photo.shape[2] == 3):
                turn = which == HUE
                photo = turned(photo, amounts[which]) if turn else blended(photo, which, 1 + amounts[which])
        return photo


def blended(photo: np.ndarray, which: int, factor: float) -> np.ndarray:
    """Move a photo, (H, W, C) uint8, away from or towards black, its mean grey or its own grey.

    >>> blended(np.full((1, 1, 3), 100, np.uint8), BRIGHTNESS, 1.5).tolist()
    [[[150, 150, 150]]]
    """
    channels = photo.shape[2]
    colours = factor * np.eye(channels, channels + 1)
    if which == CONTRAST:
        means = np.array(cv2.mean(photo)[:channels])
        colours[:, channels] = (1 - factor) * (means @ LUMA if channels == 3 else means.mean())
    elif which == SATURATION:
        colours[:, :channels] += (1 - factor) * LUMA
    return cv2.transform(photo, colours).reshape(photo.shape)


def turned(photo: np.ndarray, turn: float) -> np.ndarray:
    """Shift the hue of a photo, (H, W, 3) uint8; `turn`: in turns of the colour circle.

    >>> turned(np.array([[[200, 0, 0]]], np.uint8), 1 / 3).tolist()
    [[[0, 200, 0]]]
    """
    height, width, _ = photo.shape
    colours = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV_FULL)
    shift = np.zeros((width, 3), np.uint8)
    shift[:, 0] = round(256 * turn) % 256
    rows = colours.reshape(height, 3 * width)
    rows += shift.ravel()  # whole rows are several times as fast as every third byte; the circle wraps around
    return cv2.cvtColor(colours, cv2.COLOR_HSV2RGB_FULL, dst=colours)
