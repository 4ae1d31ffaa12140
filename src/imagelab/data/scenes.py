# room: detection
"""Paste scikit-learn's digits into noise: a data set for detection with exact boxes, without a download.

Each split has digits of its own, so that no stroke of val or test was seen in training.
"""

import numpy as np
import torch

from imagelab.box_labels import padded
from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.data.digits import Digits
from imagelab.data.resize import resized
from imagelab.problem import Problem
from imagelab.randomness import stream

LEAST = 32  # pixels
SMALLEST = 10  # pixels: side of the smallest digit
INK = 60  # grey value from which a pixel belongs to a stroke
NOISE = 100  # brightest grey value of the background
TRIES = 20  # places that are tried for a digit; if all are taken, the image has fewer
PARTS = {"train": (0.0, 0.7), "val": (0.7, 0.85), "test": (0.85, 1.0)}  # shares of the digits


class Scenes:
    """Grey images with digits of several sizes at known places; no two boxes overlap.

    Args:
        count: Number of training images, >= 1; val and test have a fifth of it each.
        side: Side of an image in pixels, >= 32.
        most: Most digits per image, >= 1; their number is uniform from 0 on.
        seed: Seed of places, sizes, digits and noise.
    """

    def __init__(self, *, count: int, side: int, most: int, seed: int) -> None:
        if side < LEAST:  # not in the table of ranges: other data sets may have a side
            raise Problem(f"data.side: wants {LEAST} pixels or more, so that digits fit in, got {side}")
        digits = Digits()
        source = digits.splits["train"]
        assert isinstance(source, Arrays)
        self.classes = digits.classes
        self.splits: dict[str, Images] = {}
        for split, shares in PARTS.items():
            first, last = (round(share * len(source)) for share in shares)
            mine = source.select(np.arange(first, last))
            made = count if split == "train" else -(-count // 5)
            scenes = [_scene(mine, side, most, stream(seed, f"scenes {split}", n)) for n in range(made)]
            images = torch.from_numpy(np.stack([image for image, _ in scenes])[:, None])
            self.splits[split] = Arrays(images, padded([boxes for _, boxes in scenes]))


def _scene(digits: Arrays, side: int, most: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (side, side) uint8, and its boxes (n, 5) of class and corners."""
    image = rng.integers(0, NOISE, (side, side)).astype(np.uint8)
    boxes: list[np.ndarray] = []
    for _ in range(rng.integers(most + 1)):
        size = int(rng.integers(SMALLEST, side * 2 // 5 + 1))
        which = int(rng.integers(len(digits)))
        digit = resized(digits.images[which, 0].numpy(), size, size)
        for left, top in rng.integers(0, side - size + 1, (TRIES, 2)):
            box = np.array([digits.labels[which], *_around(digit, left, top)])
            if not any(_overlap(box, other) for other in boxes):
                window = image[top : top + size, left : left + size]
                np.maximum(window, digit, out=window)
                boxes.append(box)
                break
    return image, np.array(boxes).reshape(-1, 5)


def _around(digit: np.ndarray, left: int, top: int) -> tuple[int, int, int, int]:
    """The corners of the strokes of a digit (H, W) that is pasted at (left, top)."""
    rows, columns = np.nonzero(digit > INK)
    return left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes (5,) of class and corners have a pixel in common."""
    return bool((np.maximum(one[1:3], other[1:3]) < np.minimum(one[3:5], other[3:5])).all())
