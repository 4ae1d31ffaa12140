"""Read the trials of a sweep, with the order and the scales that a report shows."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from imagelab.sweep import started, table
from imagelab.sweep.space import Interval, Range, parsed
from imagelab.sweep.trial import DIVERGED, FINISHED, PRUNED, REPEATS, Row, Values, setup_of


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep, finished or not.

    Args:
        folder: Folder of the sweep.
        rows: Rows of its trials, the best first, those without a result last.
        monitor: Metric that trials are compared by.
        lower: Whether lower values of it are better.
        ranges: Searched ranges, by key.
        fixed: Overrides of all trials.
        typed: Overrides that started the sweep.
        search: Class name of the search, such as "Coarse"; empty for plain lists of values.
    """

    folder: Path
    rows: Sequence[Row]
    monitor: str
    lower: bool
    ranges: dict[str, Range]
    fixed: list[str]
    typed: list[str]
    search: str

    @property
    def best(self) -> Row | None:
        """The best finished trial; None if none has finished."""
        return next((row for row in self.rows if row.status == FINISHED and row.value is not None), None)

    @property
    def parameters(self) -> dict[str, Range]:
        """The searched ranges, without seeds and folds."""
        return {key: found for key, found in self.ranges.items() if key not in REPEATS}

    @cached_property
    def setups(self) -> dict[Values, list[float]]:
        """The results of each configuration, one per seed and fold, the best mean first.

        A configuration comes after those of whose repeats fewer diverged: a mean without them is no result.
        """
        found: dict[Values, list[float]] = {}
        for row in self.rows:
            if row.status == FINISHED and row.value is not None:
                found.setdefault(setup_of(row), []).append(row.value)
        sign = 1 if self.lower else -1
        lost = self.diverged

        def order(values: Values) -> tuple[float, float]:
            results = found[values]
            share = lost.get(values, 0) / (lost.get(values, 0) + len(results))
            return share, sign * float(np.mean(results))

        return {values: found[values] for values in sorted(found, key=order)}

    @cached_property
    def diverged(self) -> dict[Values, int]:
        """The number of repeats that diverged, of each configuration that has any."""
        return Counter(setup_of(row) for row in self.rows if row.status == DIVERGED)

    def judged(self) -> tuple[list[dict[str, str]], np.ndarray]:
        """The values of each configuration with a result, and its rank: 0 is best, diverged ones are last."""
        worst = math.inf if self.lower else -math.inf
        found: dict[Values, list[float]] = {}
        for row in self.rows:
            if row.status == DIVERGED or (row.status in (FINISHED, PRUNED) and row.value is not None):
                value = worst if row.status == DIVERGED else row.value
                found.setdefault(setup_of(row), []).append(float(value or 0.0))
        means = np.array([np.mean(values) for values in found.values()]) * (1 if self.lower else -1)
        return [dict(values) for values in found], rankdata(means) - 1


def read_sweep(folder: Path) -> Sweep:
    """Read the sweep in a folder.

    Raises:
        Problem: If no trial has ended yet.
    """
    content, (rows, monitor) = started.read(folder), table.read(folder)
    first = table.ranked(rows, content["lower"])
    target = str((content["choice"] or {"_target_": ""})["_target_"])
    return Sweep(
        folder=folder,
        rows=[*first, *(row for row in rows if row.value is None)],
        monitor=monitor,
        lower=content["lower"],
        ranges={name: parsed(name, text, name) for name, text in content["space"].items()},
        fixed=[word.lstrip("+") for word in content["fixed"]],
        typed=[word for word in content["typed"] if not word.startswith("hydra.")],
        search=target.rpartition(".")[2],
    )


def place(found: Range, word: str) -> float | None:
    """The position of a value in its range, in [0, 1], on the scale of the search; None for names.

    >>> place(Interval(1e-4, 1, log=True, whole=False), "0.01")
    0.5
    """
    if isinstance(found, Interval):
        low = found.coordinate(found.low)
        high = found.coordinate(found.high)
        return (found.coordinate(float(word)) - low) / (high - low)
    numbers = [as_number(one) for one in found.words]
    mine = as_number(word)
    if mine is None or any(number is None for number in numbers):
        return None
    ordered = sorted({number for number in numbers if number is not None})
    return ordered.index(mine) / max(1, len(ordered) - 1) if mine in ordered else None


def as_number(word: str) -> float | None:
    """A value as a number, if it is one."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
