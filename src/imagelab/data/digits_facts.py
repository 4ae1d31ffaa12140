"""Describe scikit-learn's digits by several labels, or by values, instead of by their class.

Labels: even, above four, prime, and whether the strokes enclose a loop. Values: ink, the mean grey value in
percent of black; and slant, the angle by which the strokes lean to the right, in degrees.

Source: Alpaydin & Kaynak 1998, https://archive.ics.uci.edu/dataset/80; slant by second moments, as in
LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section III.E (deslanting).
"""

from typing import Any, Literal

import numpy as np
from scipy import ndimage

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.data.digits import Digits

PRIMES = (2, 3, 5, 7)
DARK = 96  # grey value from which a pixel belongs to a stroke


class DigitsFacts:
    """The digits in one split, with their facts as labels or values.

    Args:
        takes: Kind of labels that the task takes: "values", else several classes per image.
    """

    def __init__(self, *, takes: Literal["class", "multilabel", "values", ""]) -> None:
        digits = Digits().splits["train"]
        assert isinstance(digits, Arrays)
        pixels = digits.images[:, 0].numpy()
        if takes == "values":
            facts = {"ink": pixels.mean(axis=(1, 2)) / 2.55, "slant": slants(pixels)}
        else:
            facts = {
                "even": digits.labels % 2 == 0,
                "above_four": digits.labels > 4,
                "prime": np.isin(digits.labels, PRIMES),
                "loop": loops(pixels),
            }
        self.classes = [*facts]
        kind = np.float32 if takes == "values" else np.bool_
        labels = np.stack([*facts.values()], axis=1).astype(kind)
        self.splits: dict[str, Images] = {"train": digits.relabel(labels)}


def slants(images: np.ndarray) -> np.ndarray:
    """Angle between the strokes of images (N, H, W) uint8 and the vertical, (N,), in degrees to the right.

    >>> leaning = np.fliplr(np.eye(5, dtype=np.uint8)) * 255
    >>> slants(np.stack([leaning, leaning[:, ::-1]])).round(3).tolist()
    [45.0, -45.0]
    """
    weights = images / images.sum(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[: images.shape[1], : images.shape[2]].astype(float)
    up = (weights * y).sum(axis=(1, 2))[:, None, None] - y
    right = x - (weights * x).sum(axis=(1, 2))[:, None, None]
    lean = (weights * up * right).sum(axis=(1, 2)) / (weights * up * up).sum(axis=(1, 2))
    return np.degrees(np.arctan(lean))


def loops(images: np.ndarray) -> np.ndarray:
    """Whether the strokes of images (N, H, W) uint8 enclose a part of the background, (N,) bool."""
    strokes = np.pad(images >= DARK, ((0, 0), (1, 1), (1, 1)))
    label: Any = ndimage.label
    return np.array([label(~one)[1] > 1 for one in strokes])
