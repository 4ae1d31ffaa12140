"""Curves of seven known states, from exponentials with noise: those that the rules were tuned on."""

import math

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
    rng = np.random.default_rng([seed, STATES.index(state)])
    count = int(rng.choice([10, 20, 40, 100]))
    chance = math.log(rng.choice([2, 10, 100]))
    t = np.arange(1, count + 1) / count
    train, val = (chance * curve for curve in _shapes(state, t, rng))
    noise = rng.choice([0.01, 0.03])
    train = train * np.exp(noise / 2 * rng.standard_normal(count))
    val = val * np.exp(noise * rng.standard_normal(count))
    return Curves(epochs=np.arange(1.0, count + 1), train=train, val={"val": {"loss": val}}), chance


def _shapes(state: str, t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    quick = rng.uniform(8, 15)
    low = rng.uniform(0.03, 0.15)
    down = low + (0.95 - low) * np.exp(-quick * t)
    if state == "overfitting":
        rise = rng.uniform(0.25, 0.8) * np.clip(t - rng.uniform(0.15, 0.4), 0, None)
        return 0.02 + 0.9 * np.exp(-quick * t), down + 0.2 + rise
    if state == "train longer":
        speed = rng.uniform(1.0, 2.2)
        return np.exp(-speed * t), 0.05 + 0.95 * np.exp(-speed * t)
    if state == "underfitting":
        flat = rng.uniform(0.45, 0.8)
        curve = flat + (0.97 - flat) * np.exp(-quick * t)
        return curve, 1.04 * curve
    if state == "LR too high":
        if rng.random() < 0.5:
            blown = 1 + rng.uniform(1, 20) * np.exp(-30 * t)
            return blown * rng.uniform(0.8, 1.0), rng.uniform(0.75, 1.05) * np.ones_like(t)
        shake = np.exp(rng.uniform(0.3, 0.6) * rng.standard_normal(len(t)))
        return down + 0.2, (down + 0.2) * shake
    if state == "diverged":
        up = down + np.clip(t - rng.uniform(0.3, 0.7), 0, None) ** 2 * rng.uniform(40, 400)
        if rng.random() < 0.5:
            up[-1] = math.nan
        return up, up * 1.1
    if state == "not learning":
        return rng.uniform(0.985, 1.01) + 0 * t, rng.uniform(0.99, 1.05) + 0 * t
    return down, down * rng.uniform(1.0, 1.5) + 0.02
