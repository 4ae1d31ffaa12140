"""Measure batches of images: brightness, contrast, sharpness, entropy and more."""

import numpy as np
from scipy.special import entr

from imagelab.data.resize import resized, shrunk_size

SHORT = 256  # pixels: larger images are first shrunk to this short side, to make the values comparable
WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as in Pillow's mode L
MEASURES = {
    "brightness": "mean of the grey values, 0 to 1",
    "contrast": "standard deviation of the grey values, 0 to 0.5",
    "darkest": "1st percentile of the grey values, 0 to 1",
    "brightest": "99th percentile of the grey values, 0 to 1",
    "sharpness": "standard deviation of the Laplacian of the grey values, short side at most 256 pixels",
    "entropy": "entropy of the grey values in bits, 0 to 8",
    "chroma": "99th percentile of the difference between the colours of a pixel, 0 to 1; below 0.04: grey",
}


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same, with a short side of at most 256 pixels."""
    width, height = shrunk_size(pixels.shape[1], pixels.shape[0], SHORT)
    return resized(pixels, height, width)


def measure(images: np.ndarray) -> dict[str, np.ndarray]:
    """(B, H, W, 3) uint8 -> each of MEASURES, (B,) float32."""
    grey = images @ WEIGHTS
    counts = _counts(grey.astype(np.uint8))
    spread = _counts(images.max(-1) - images.min(-1))
    return {
        "brightness": grey.mean((1, 2)) / 255,
        "contrast": grey.std((1, 2)) / 255,
        "darkest": _percentile(counts, 0.01),
        "brightest": _percentile(counts, 0.99),
        "sharpness": _sharpness(grey),
        "entropy": _entropy(counts),
        "chroma": _percentile(spread, 0.99),
    }


def _counts(values: np.ndarray) -> np.ndarray:
    """(B, H, W) uint8 -> (B, 256): how often each value occurs."""
    count = len(values)
    offset = (np.arange(count, dtype=np.int32) * 256)[:, None]
    flat = values.reshape(count, -1) + offset
    return np.bincount(flat.ravel(), minlength=256 * count).reshape(count, 256)


def _percentile(counts: np.ndarray, share: float) -> np.ndarray:
    below = counts.cumsum(axis=1) >= share * counts.sum(axis=1, keepdims=True)
    return (below.argmax(axis=1) / 255).astype(np.float32)


def _entropy(counts: np.ndarray) -> np.ndarray:
    shares = counts / counts.sum(axis=1, keepdims=True)
    return entr(shares).sum(axis=1) / np.log(2)


def _sharpness(grey: np.ndarray) -> np.ndarray:
    if min(grey.shape[1:]) < 3:
        return np.zeros(len(grey), dtype=np.float32)
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return (around - 4 * inner).std((1, 2))
