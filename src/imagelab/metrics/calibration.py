"""Measure calibration: reliability, ECE with a confidence interval, and temperature scaling.

Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 2 (the error) and 4.2 (temperature).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from scipy.stats import bootstrap

from imagelab.metrics.classification import BINS, calibration_error
from imagelab.randomness import stream

RESAMPLES = 500  # of the bootstrap; fewer where there are many images, whose interval is narrow anyway
DRAWS = 5_000_000  # images drawn in all resamples together, at most
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
        interval: Interval of the error, by bootstrap over images; see `interval_of` for what it covers.
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
        seed: Seed of the bootstrap.
    """
    confidence, right = confidences(softmax(logits, axis=1), labels)
    order = stream(seed, "calibration").permutation(len(labels))  # classes may alternate
    fitted, rest = np.sort(order[::2]), np.sort(order[1::2])
    found = fit_temperature(logits[fitted], labels[fitted])
    before = expected_error(confidence[rest], right[rest])
    after = expected_error(*confidences(softmax(logits[rest] / found, axis=1), labels[rest]))
    lower = after < before and len(labels) > 3  # the bootstrap needs two images of each half
    return Calibration(
        images=len(labels),
        bins=reliability(confidence, right),
        ece=expected_error(confidence, right),
        interval=interval_of(confidence, right, seed),
        temperature=found,
        before=before,
        after=after,
        helps=lower and after < interval_of(confidence[rest], right[rest], seed)[0],
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


def interval_of(confidence: np.ndarray, right: np.ndarray, seed: int) -> tuple[float, float]:
    """The bootstrap interval of the expected error at a nominal 95%, corrected for bias.

    It covers a small error less often: in 50% of simulated samples of 2,000 images if the true error is 0, in
    91% if it is 0.024. So it is never called a 95% interval.

    The error of few images is too large, and that of a resample is too large by as much again. So the
    interval is reflected at the measured value.
    """
    found = bootstrap(
        (confidence, right),
        expected_error,
        paired=True,
        vectorized=False,
        n_resamples=int(np.clip(DRAWS // len(right), 20, RESAMPLES)),
        batch=10,
        method="basic",
        rng=seed,
    )
    low, high = found.confidence_interval
    return max(0.0, float(low)), max(0.0, float(high))


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
