"""Load scikit-learn's handwritten digits: 1,797 real grey images of 8 x 8 pixels, without a download.

Source: Alpaydin & Kaynak 1998, https://archive.ics.uci.edu/dataset/80, the test part; scikit-learn ships it.
"""

from functools import cache

import numpy as np
import torch

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays


class Digits:
    """The digits 0 to 9, in one split."""

    def __init__(self) -> None:
        pixels, labels = _read()
        self.classes = [str(digit) for digit in range(10)]
        self.splits: dict[str, Images] = {"train": Arrays(torch.from_numpy(pixels.copy()), labels.copy())}


@cache  # the trials of a sweep in one process read them once
def _read() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (1797, 1, 8, 8) uint8, and labels (1797,) int64."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return np.round(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8), labels.astype(np.int64)
