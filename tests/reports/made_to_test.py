"""Curves of seven known states by other means than those for tuning: power laws, simulated descent.

Runs of 8 to 150 epochs, 2 to 1,000 classes, noise that lasts for some epochs. Written before the rules had
seen any of it, and its numbers not touched since.
"""

import math
from collections.abc import Callable

import numpy as np

from imagelab.reports.curves import Curves

STATES = (
    "healthy",
    "overfitting",
    "train longer",
    "underfitting",
    "LR too high",
    "diverged",
    "not learning",
)


def made(state: str, seed: int) -> tuple[Curves, float]:
    """Curves of a run in a state, and the loss of knowing nothing."""
    rng = np.random.default_rng([seed, 77, STATES.index(state)])
    count, classes = int(rng.integers(8, 151)), int(rng.integers(2, 1001))
    train, val = _MAKERS[state](np.arange(1, count + 1), rng)
    noisy = [curve * np.exp(_lasting(count, size, rng)) for curve, size in ((train, 0.006), (val, 0.02))]
    chance = math.log(classes)
    return Curves(
        epochs=np.arange(1.0, count + 1), train=chance * noisy[0], val={"val": {"loss": chance * noisy[1]}}
    ), chance


def _lasting(count: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of which a third lasts into the next epoch."""
    noise = size * rng.standard_normal(count)
    for i in range(1, count):
        noise[i] += noise[i - 1] / 3
    return noise


def _descent(epochs: np.ndarray, rate: float, floor: float, curved: float = 1.0) -> np.ndarray:
    """The loss of plain descent on a bowl with many axes, whose curvatures fall off by a power law."""
    bends = np.arange(1.0, 60) ** -curved
    left = (1 - np.minimum(rate * bends, 1)[None] / 4) ** (8 * epochs[:, None])
    return floor + (1 - floor) * (left**2 * bends).sum(axis=1) / bends.sum()


def _healthy(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A rate that falls to 0: half a cosine of way covered."""
    part = epochs / len(epochs)
    covered = part + np.sin(np.pi * part) / np.pi
    train = rng.uniform(0.02, 0.1) + 0.9 * (1 + rng.uniform(15, 40) * covered) ** -rng.uniform(1.5, 2.5)
    return train, train + rng.uniform(0.0, 0.12) * (1 - train)


def _overfitting(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    part = epochs / len(epochs)
    train = (1 + 30 * part) ** -rng.uniform(1.4, 2.5)
    lowest, turn = rng.uniform(0.25, 0.6), rng.uniform(0.15, 0.5)
    before = lowest + (1 - lowest) * np.clip(1 - part / turn, 0, 1) ** 3
    return train, before + rng.uniform(0.25, 0.9) * np.clip(part - turn, 0, None) ** rng.uniform(0.8, 1.3)


def _longer(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut off at a quarter to two fifths of the way that a settled run goes."""
    part = epochs / len(epochs) * rng.uniform(0.25, 0.4)
    train = 0.03 + 0.97 * (1 - part) ** rng.uniform(2, 3)
    return train, train + rng.uniform(0.01, 0.06)


def _underfitting(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    floor = rng.uniform(0.4, 0.85)
    train = _descent(epochs * 60 / len(epochs), rng.uniform(0.8, 1.0), floor, curved=0.4)
    return train, train * rng.uniform(0.98, 1.12)


def _too_high(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Half of them thrown away by the first steps, half jumping to and fro across the valley."""
    if rng.random() < 0.5:
        back = rng.uniform(0.6, 0.98)
        train = back + rng.uniform(0.8, 30) / epochs**2
        return train, back * rng.uniform(0.97, 1.1) + rng.uniform(0, 2) / epochs**2
    level = _descent(epochs, 0.8, rng.uniform(0.2, 0.5))
    jumps = 1 + rng.uniform(0.3, 0.7) * np.abs(rng.standard_normal(len(epochs)))
    return level * (0.7 + 0.3 * jumps), level * jumps


def _diverged(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    before = _descent(epochs, 0.9, 0.1)
    start = rng.uniform(0.2, 0.8) * len(epochs)
    up = before + np.expm1(np.clip(epochs - start, 0, 60) * rng.uniform(3, 9) / (len(epochs) - start))
    if rng.random() < 0.4:
        up = np.where(epochs > start + 1, math.nan, before)
    return up, up * rng.uniform(0.9, 1.5)


def _nothing(epochs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    train = 1 + rng.uniform(0, 0.1) * np.exp(-epochs) - rng.uniform(0, 0.015) * epochs / len(epochs)
    return train, 1 + rng.uniform(0, 0.04) * (1 + epochs / len(epochs))


_MAKERS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = dict(
    zip(
        STATES,
        (_healthy, _overfitting, _longer, _underfitting, _too_high, _diverged, _nothing),
        strict=True,
    )
)
