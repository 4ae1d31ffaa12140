"""Refine a coarse search: longer runs in the region where it was good.

Source: the steps of Karpathy's notes for CS231n, "Babysitting the learning process" and "Hyperparameter
optimization", https://cs231n.github.io/neural-networks-3/
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from imagelab.problem import Problem
from imagelab.sweep import space, started, table
from imagelab.sweep.random_search import Random
from imagelab.sweep.search import Node, Ranges
from imagelab.sweep.space import Interval, Range, parsed
from imagelab.sweep.trial import DIVERGED, FINISHED, REPEATS, Row, Values, setup_of

LEAST = 3  # trials that bound a region


class Refine(Random):
    """Random draws in the region spanned by the best trials of another sweep, in longer runs.

    Args:
        coarse: Folder of the coarse sweep.
        best: Fraction of its finished trials that count as the best, in (0, 1].
        trials: Number of trials.
        epochs: Epochs per trial, unless the command line sets `trainer.max_epochs`.
        schedule: Schedule of the trials, unless the command line names one, or a recipe.
        seed: Seed of the draws.
    """

    def __init__(
        self, *, coarse: str | None, best: float, trials: int, epochs: int, schedule: str, seed: int
    ) -> None:
        super().__init__(trials=trials, seed=seed, space=None)
        if coarse is None:
            raise Problem("from: sweep=refine continues another sweep; set from=FOLDER, or from=last")
        self.coarse = Path(coarse)
        self.best = best
        self.epochs = epochs
        self.schedule = schedule

    def words(self) -> list[str]:
        return [f"trainer.max_epochs={self.epochs}", f"schedule={self.schedule}"]

    def searched(self, typed: Ranges, cfg: Node) -> dict[str, Any]:
        content, (rows, _) = started.read(self.coarse), table.read(self.coarse)
        good = configurations(rows, content["lower"])
        if len(good) < LEAST:
            raise Problem(
                f"from={self.coarse}: {len(good)} configurations have finished, but a region needs {LEAST}; "
                f"resume it with imagelab train resume={self.coarse}"
            )
        ranges = {name: parsed(name, text, name) for name, text in content["space"].items()}
        return {name: found.text() for name, found in narrowed(ranges, good, self.best).items()}


def configurations(rows: Sequence[Row], lower: bool) -> list[Row]:
    """One row per configuration, with the mean of its repeats, the best first; none if a repeat diverged.

    Args:
        rows: Rows of a sweep.
        lower: Whether lower values are better.
    """
    bad = {setup_of(row) for row in rows if row.status == DIVERGED}
    found: dict[Values, list[Row]] = {}
    for row in rows:
        if row.status == FINISHED and row.value is not None and setup_of(row) not in bad:
            found.setdefault(setup_of(row), []).append(row)
    means = [replace(same[0], value=fmean(row.value or 0.0 for row in same)) for same in found.values()]
    return table.ranked(means, lower)


def narrowed(ranges: Mapping[str, Range], ranked: Sequence[Row], share: float) -> dict[str, Range]:
    """The ranges spanned by the best trials.

    A numeric range goes from their smallest to their largest value, widened at both ends by half a step, but
    not beyond the former range. A step is the spacing of all trials if they were spread evenly over the
    former range (in logarithms, if it was logarithmic). From a list, the values of the best trials are kept.
    Seeds and folds stay: a lucky seed is no region.

    Args:
        ranges: Former ranges, by key.
        ranked: Finished trials, the best first.
        share: Fraction of them that count as the best.
    """
    best = ranked[: max(LEAST, math.ceil(share * len(ranked)))]
    return {
        name: found if name in REPEATS else _narrow(found, [row.overrides[name] for row in best], len(ranked))
        for name, found in ranges.items()
    }


def _narrow(found: Range, best: Sequence[str], trials: int) -> Range:
    if isinstance(found, space.Values):
        return space.Values(tuple(word for word in found.words if word in best))
    low = found.coordinate(found.low)
    high = found.coordinate(found.high)
    places = [found.coordinate(float(value)) for value in best]
    half = (high - low) / trials / 2
    ends = max(low, min(places) - half), min(high, max(places) + half)
    least, most = [math.exp(end) if found.log else end for end in ends]
    if found.whole:
        least, most = max(found.low, math.floor(least)), min(found.high, math.ceil(most))
        return Interval(least, most, log=found.log, whole=True)
    values = [float(value) for value in best]
    # Rounded, but neither beyond the former range nor past a value that it is to hold.
    least = max(found.low, min(float(f"{least:.4g}"), *values))
    most = min(found.high, max(float(f"{most:.4g}"), *values))
    return Interval(least, most if least < most else found.high, log=found.log, whole=False)
