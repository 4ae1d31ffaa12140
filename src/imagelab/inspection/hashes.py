"""Perceptual hashes: 64 bits that stay nearly the same when an image is compressed, shrunk or brightened.

Source: pHash as in https://github.com/JohannesBuchner/imagehash: signs of the 8 x 8 lowest frequencies of the
cosine transform of 32 x 32 grey values, against their median.
"""

from collections.abc import Iterator

import numpy as np

from imagelab.inspection.measures import WEIGHTS

SIDE = 32  # pixels of the thumbnail
_places = np.arange(SIDE)
COSINES = np.cos(np.pi * np.arange(8)[:, None] * (2 * _places + 1) / (2 * SIDE)).astype(np.float32)
MIRROR = np.tile([1, -1], 4)  # mirrored, the odd horizontal frequencies change their sign


def phash(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, 32, 32, 3) uint8 -> the hashes (B,) uint64 of the images, and of their mirrored ones."""
    grey = np.rint(thumbnails @ WEIGHTS)
    frequencies = COSINES @ grey @ COSINES.T
    return _bits(frequencies), _bits(frequencies * MIRROR)


def near(first: np.ndarray, second: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Pairs i < j whose hashes first[i], second[j] differ in at most so many bits: (K, 2) int32 at a time."""
    for i in range(len(first) - 1):
        close = np.flatnonzero(np.bitwise_count(second[i + 1 :] ^ first[i]) <= most)
        if len(close):
            yield np.stack([np.full(len(close), i), close + i + 1], axis=1).astype(np.int32)


def _bits(frequencies: np.ndarray) -> np.ndarray:
    flat = frequencies.reshape(len(frequencies), 64)
    above = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64).ravel()
