"""Measure calibration: reliability, ECE with a confidence interval, and temperature scaling.

Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 2 (the error) and 4.2 (temperature).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp, ndtr, softmax

from imagelab.metrics.classification import BINS, calibration_error
from imagelab.randomness import stream

SIGMAS = 1.96  # standard deviations that hold 95% of a normal distribution
FITTED = 1_000_000  # logits that a temperature is fitted on, at most
ENOUGH = 1_000  # images: below, the error is mostly that of counting
EDGES = np.linspace(0, 1, BINS + 1, dtype=np.float32)
LOWEST, HIGHEST = 0.05, 20.0  # temperatures to look between


class Bin(NamedTuple):
    """Images whose highest probability lies in one interval.

    images: Number of images. confidence: Mean highest probability. accuracy: Share of correct predictions.
    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well probabilities match the accuracy.

    Args:
        images: Number of images it was measured on.
        bins: Bins of equal width that hold images.
        ece: Expected calibration error, in [0, 1].
        interval: 95% interval of the error; see `interval_of`.
        temperature: Best divisor of the logits, fitted on a half of the images; above 1: overconfident.
        before: Error on the other images without temperature scaling.
        after: Error on the other images at that temperature.
        helps: Whether `after` lies below the interval of `before`.
    """

    images: int
    bins: list[Bin]
    ece: float
    interval: tuple[float, float]
    temperature: float
    before: float
    after: float
    helps: bool

    @property
    def resolved(self) -> bool:
        """Whether there are enough images to judge by."""
        return self.images >= ENOUGH


def calibration(logits: np.ndarray, labels: np.ndarray, seed: int) -> Calibration:
    """Measure the calibration of N >= 2 images.

    Args:
        logits: (N, K) logits or log probabilities.
        labels: (N,) classes.
        seed: Seed of the halves.
    """
    confidence, right = confidences(softmax(logits, axis=1), labels)
    order = stream(seed, "calibration").permutation(len(labels))  # classes may alternate
    fitted, rest = np.sort(order[::2]), np.sort(order[1::2])
    found = fit_temperature(logits[fitted], labels[fitted])
    before = expected_error(confidence[rest], right[rest])
    after = expected_error(*confidences(softmax(logits[rest] / found, axis=1), labels[rest]))
    return Calibration(
        images=len(labels),
        bins=reliability(confidence, right),
        ece=expected_error(confidence, right),
        interval=interval_of(confidence, right),
        temperature=found,
        before=before,
        after=after,
        helps=after < interval_of(confidence[rest], right[rest])[0],
    )


def confidences(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest probability of each image, and whether its class is correct."""
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """The bins that hold images, by rising confidence."""
    # As torchmetrics has it: a bin holds its lower end, and a certainty of 1 has a bin of its own.
    places = np.searchsorted(EDGES, confidence.astype(np.float32), side="right")
    return [
        Bin(int(mine.sum()), float(confidence[mine].mean()), float(right[mine].mean()))
        for mine in (places == place for place in np.unique(places))
    ]


def expected_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """The metric `ece`: (N,) confidences in [0, 1] and whether each is correct -> error in [0, 1]."""
    sure = torch.from_numpy(np.ascontiguousarray(confidence, dtype=np.float32))
    return float(calibration_error(sure, torch.from_numpy(right)))


def interval_of(confidence: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the expected error: all errors under which the measured one is not unusual.

    The measured error is a sum of absolute values: chance makes it large, and that of resamples still larger.
    Under a true error, spread over the bins like the standard deviations of being right, its mean and
    variance are those of folded normal variables. In simulations the interval covers 93% to 98% with 2,000
    images, and 89% to 98% with 100 images whose predictions are almost certain.

    Args:
        confidence: Highest probability of each image, (N,) in [0, 1].
        right: Whether each prediction is correct, (N,) bool.
    """
    images, gaps, deviations = _gaps(confidence, right)
    shares = images / images.sum()
    errors = deviations / np.sqrt(images)
    measured = float(shares @ np.abs(gaps))
    shape = deviations / (shares @ deviations)

    def excess(true: float, sigmas: float) -> float:
        means, variances = _folded(true * shape, errors)
        return measured - float(shares @ means) + sigmas * float(shares**2 @ variances) ** 0.5

    def end(sigmas: float) -> float:
        if not excess(0, sigmas) > 0 > excess(1, sigmas):
            return float(excess(0, sigmas) > 0)
        found: Any = brentq(excess, 0, 1, args=(sigmas,))
        return float(found)

    return end(-SIGMAS), end(SIGMAS)


def _gaps(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bin that holds images: their number, and mean and deviation of `right` less confidence.

    The deviation among few images says nothing, so two calibrated ones are added.
    """
    bins = np.searchsorted(EDGES, confidence.astype(np.float32), side="right")
    places = np.unique(bins, return_inverse=True)[1]
    images = np.bincount(places)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(places, values) / images

    gaps = mean(right - confidence)
    observed = mean((right - confidence - gaps[places]) ** 2)
    variances = (images * observed + 2 * mean(confidence * (1 - confidence))) / (images + 1)
    return images, gaps, np.sqrt(variances.clip(1e-12))


def _folded(means: np.ndarray, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and variance of |x| where x is normal; Leone et al. 1961, https://doi.org/10.2307/1266560."""
    sigmas = means / deviations
    folded = deviations * np.sqrt(2 / np.pi) * np.exp(-0.5 * sigmas**2) + means * (1 - 2 * ndtr(-sigmas))
    return folded, means**2 + deviations**2 - folded**2


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The divisor of logits (N, K) that maximises the likelihood of the labels (N,).

    It is 1 if every prediction is correct, since any smaller divisor would then be better still.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    step = max(1, logits.size // FITTED)
    some, true = logits, labels
    if step > 1:
        places = stream(0, "temperature").permutation(len(labels))[: len(labels) // step]
        some, true = logits[places], labels[places]
    some = some.astype(np.float64)
    own = some[np.arange(len(true)), true].mean()

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        return float(np.mean(logsumexp(some * cold, axis=1)) - own * cold)

    ends = np.log(LOWEST), np.log(HIGHEST)
    found: Any = minimize_scalar(loss, bounds=ends, options={"xatol": 1e-4})
    return float(np.exp(found.x))
