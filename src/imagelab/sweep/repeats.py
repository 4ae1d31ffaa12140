"""Compare configurations over repeats: group trials that differ only by seed or fold, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from imagelab.sweep.trial import FINISHED, Row, Values, setup_of

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean, and half the width of its 95% interval; None for a single value, which shows no spread."""

    mean: float
    half: float | None

    def __str__(self) -> str:
        return f"{self.mean:+.4f}" + ("" if self.half is None else f" ± {self.half:.4f}")


def metric_name(rows: Sequence[Row], monitor: str) -> str:
    """The metric to compare by: the monitored one on the test images, else on those of validation."""
    same = monitor.replace("val/", "test/")
    return same if any(row.test.get(same) is not None for row in rows) else monitor


def values_by_setup(rows: Sequence[Row], name: str) -> dict[Values, dict[Values, float]]:
    """Values of a metric by configuration, then by repeat (its seed or fold)."""
    found: dict[Values, dict[Values, float]] = {}
    for row in rows:
        value = row.test.get(name, row.value)
        if row.status == FINISHED and value is not None:
            setup = setup_of(row)
            repeat = tuple(item for item in row.overrides.items() if item not in setup)
            found.setdefault(setup, {})[repeat] = value
    return found


def interval(values: Sequence[float]) -> Interval:
    """The mean of values, with the 95% interval of Student's t.

    >>> print(interval([0.1, 0.2, 0.3]))
    +0.2000 ± 0.2484
    """
    if len(values) < 2:
        return Interval(mean=fmean(values), half=None)
    from scipy.stats import t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return Interval(mean=fmean(values), half=quantile * stdev(values) / len(values) ** 0.5)
