"""Measure whether two images are the same picture: correlation of their fine structure over small shifts.

Coarse thumbnails of aeroplanes in the sky all resemble each other. Edges agree only in the same picture, also
after compression, a change of brightness or a crop of a few per cent.

Source: cross-correlation by the Fourier transform, as in Lewis 1995, Fast Normalized Cross-Correlation.
"""

from itertools import product

import numpy as np

SIDE = 32  # pixels of a thumbnail
SHIFT = 3  # largest shift in pixels of the thumbnail, each way
FADED = 4  # border pixels that fade out, since the transform wraps around
CHUNK = 512  # pairs at once


def _blur(times: int) -> np.ndarray:
    """(32, 32) matrix: the kernel 1 2 1 along one axis, applied `times` times, borders repeated."""
    once = np.zeros((SIDE, SIDE))
    for place in range(SIDE):
        for step, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)):
            once[place, min(max(place + step, 0), SIDE - 1)] += weight
    return np.linalg.matrix_power(once, times).astype(np.float32)


def _window() -> np.ndarray:
    edge = np.sin(np.pi / 2 * (np.arange(FADED) + 0.5) / FADED) ** 2
    along = np.concatenate([edge, np.ones(SIDE - 2 * FADED), edge[::-1]])
    return np.outer(along, along).astype(np.float32)


def _stretch(factor: float) -> np.ndarray:
    """(32, 32) matrix: enlarge the middle of one axis by a factor, linearly; borders repeated."""
    middle = (SIDE - 1) / 2
    places = np.clip((np.arange(SIDE) - middle) / factor + middle, 0, SIDE - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(SIDE)), 0).astype(np.float32)


NOISE = _blur(1)
COARSE = _blur(5)
WINDOW = _window()
SAME = _stretch(1.0)
STRETCHES = {factor: _stretch(factor) for factor in (0.8, 0.86, 0.93, 1.0, 1.08, 1.16, 1.25)}
ASPECT = 1.17  # largest ratio of the factors of both axes
SHIFTS = np.r_[0 : SHIFT + 1, -SHIFT:0]


def likeness(first: np.ndarray, second: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The likeness of pairs of thumbnails, (P,) float32; 1 for the same picture.

    Args:
        first: (A, 32, 32, 3) uint8.
        second: (B, 32, 32, 3) uint8.
        pairs: (P, 2) int, an index in `first` and one in `second`.
    """
    left, right = _spectra(first), _spectra(second)
    found = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), CHUNK):
        i, j = pairs[start : start + CHUNK].T
        product = (left[i] * right[j].conj()).sum(1)
        shifted = np.fft.irfft2(product, s=(SIDE, SIDE))[:, SHIFTS][:, :, SHIFTS]
        found[start : start + CHUNK] = shifted.max((1, 2))
    return found


def registered(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The likeness of pairs of thumbnails (P, 32, 32, 3) uint8 at the best stretch of the first: (P,)."""
    right = _spectra(second).conj()
    found = np.zeros(len(first), dtype=np.float32)
    for (tall, down), (wide, along) in product(STRETCHES.items(), repeat=2):
        if max(tall / wide, wide / tall) <= ASPECT:
            shifted = np.fft.irfft2((_spectra(first, down, along) * right).sum(1), s=(SIDE, SIDE))
            found = np.maximum(found, shifted[:, SHIFTS][:, :, SHIFTS].max((1, 2)))
    return found


def _spectra(thumbnails: np.ndarray, down: np.ndarray = SAME, along: np.ndarray = SAME) -> np.ndarray:
    """(N, 32, 32, 3) -> (N, 3, 32, 17) complex64: spectra without pixel noise and coarse shapes.

    Args:
        thumbnails: Pictures, uint8.
        down: Matrix that stretches columns.
        along: Matrix that stretches rows.
    """
    channels = np.ascontiguousarray(thumbnails.transpose(0, 3, 1, 2), dtype=np.float32)
    if down is not SAME or along is not SAME:
        channels = down @ channels @ along.T
    fine = NOISE @ channels @ NOISE.T - COARSE @ channels @ COARSE.T
    fine *= WINDOW
    length = np.sqrt((fine * fine).sum((1, 2, 3), keepdims=True))
    return np.fft.rfft2(fine / np.maximum(length, 1e-3)).astype(np.complex64)
