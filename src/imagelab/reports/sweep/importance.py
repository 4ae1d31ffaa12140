"""Measure how much of the variation between trials each parameter explains, and whether that could be luck.

For a number it is the fraction of the variance of ranks explained by a parabola on the scale of the search,
so that an optimum inside the range counts; for names, the fraction between them. Ranks include diverged
trials. The mean over shuffled ranks, which luck explains, is subtracted.

Source: Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses", section 3.1 (the test);
Hutter et al. 2014, https://proceedings.mlr.press/v32/hutter14.html (shares of variance as importance).
"""

from dataclasses import dataclass

import numpy as np

from imagelab.randomness import stream
from imagelab.reports.sweep.rows import Sweep, place
from imagelab.sweep.space import Range

SHUFFLES = 2000
LUCK = 0.05  # chance of calling any parameter resolved if none has an effect


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Importance of one parameter.

    Args:
        name: Key of the parameter.
        share: Fraction of the variance of ranks explained beyond luck, in [0, 1].
        chance: Probability that shuffled results explain as much.
        resolved: Whether that is rarer than LUCK, corrected for the number of parameters.
    """

    name: str
    share: float
    chance: float
    resolved: bool


def importances(sweep: Sweep) -> list[Importance]:
    """The importance of each parameter with several values, the most important first."""
    setups, ranks = sweep.judged()
    found = []
    for name, searched in sweep.parameters.items():
        words = [values[name] for values in setups if name in values]
        if len(words) == len(setups) and len(set(words)) > 1:
            found.append((name, *explained(design(searched, words), ranks)))
    limit = LUCK / max(1, len(found))
    made = [
        Importance(name=name, share=share, chance=chance, resolved=chance < limit)
        for name, share, chance in found
    ]
    return sorted(made, key=lambda one: (-one.resolved, -one.share))


def explained(columns: np.ndarray, ranks: np.ndarray) -> tuple[float, float]:
    """The fraction of the variance of (N,) ranks that (N, D) columns explain beyond luck, and its chance."""
    basis, sizes, _ = np.linalg.svd(columns - columns.mean(0), full_matrices=False)
    basis = basis[:, sizes > 1e-9 * max(sizes.max(), 1e-9)]
    off = ranks - ranks.mean()
    if not off.any() or not basis.shape[1]:
        return 0.0, 1.0
    order = stream(0, "importance").permuted(np.tile(np.arange(len(off)), (SHUFFLES, 1)), axis=1)
    share, lucky = (np.square(one @ basis).sum(-1) / (off @ off) for one in (off, off[order]))
    chance = (1 + int((lucky >= share - 1e-12).sum())) / (SHUFFLES + 1)
    luck = float(lucky.mean())
    return max(0.0, (float(share) - luck) / (1 - luck) if luck < 1 - 1e-9 else 0.0), chance


def design(searched: Range, words: list[str]) -> np.ndarray:
    """The columns of the regression: position and its square, or one per name."""
    places = [place(searched, word) for word in words]
    if any(one is None for one in places):
        names = sorted(set(words))
        return np.array([[float(word == name) for name in names] for word in words])
    x = np.array(places, dtype=float)
    return np.stack([x, x**2], axis=1)
