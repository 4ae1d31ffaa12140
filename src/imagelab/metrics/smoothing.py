"""Smooths a curve with Gaussian weights."""

import numpy as np
from numpy.typing import NDArray

REACH = 6  # standard deviations; further away a weight is below 2e-8


def smooth(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A centred Gaussian moving average without lag; at the ends, of the values that there are.

    Args:
        values: Values to smooth, (n,); NaN are ignored and stay NaN.
        width: Standard deviation of the Gaussian, in samples, > 0.
    """
    reach = int(REACH * width)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    known = np.isfinite(values)
    total = np.convolve(np.where(known, values, 0), bell)[reach:][: len(values)]
    weight = np.convolve(known.astype(float), bell)[reach:][: len(values)]
    return np.where(known, total / np.maximum(weight, 1e-300), np.nan)
