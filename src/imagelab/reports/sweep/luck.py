"""Say whether the lead of the best configuration exceeds the spread of its repeats.

Source: Student 1908, "The Probable Error of a Mean", https://doi.org/10.1093/biomet/6.1.1; for folds, whose
training images overlap, Nadeau and Bengio 2003, https://doi.org/10.1023/A:1024068626366, section 3 (9).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from imagelab.finding import Finding
from imagelab.reports.sweep.rows import Sweep
from imagelab.sweep.kfold import FOLD
from imagelab.sweep.trial import FINISHED, Values, setup_of
from imagelab.terminal.summary import number

LUCK = 0.05  # chance that a lead is called clear if there is no difference


class Lead(NamedTuple):
    """A difference of two means.

    gap: The difference. error: Its standard error. limit: Standard errors above which it is clear.
    """

    gap: float
    error: float
    limit: float

    @property
    def clear(self) -> bool:
        """Whether it exceeds luck."""
        return self.gap > self.limit * self.error


def spread(sweep: Sweep, repeat: str) -> Finding:
    """The finding on the spread of repeated trials, and whether the lead of the best exceeds it.

    Args:
        sweep: Sweep with a finished trial.
        repeat: Command that repeats the best configuration.
    """
    setups = sweep.setups
    deviation = pooled_deviation(setups)
    if deviation is None:
        return Finding(
            name="luck",
            status="INFO",
            value="not known",
            expected="",
            why="No configuration was run with several seeds: small differences between trials may be luck.",
            fix=f"Repeat the best one: `{repeat}`",
        )
    value = {"sd over seeds or folds": deviation}
    if len(setups) < 2:
        only = next(iter(setups.values()))
        why = f"{len(only)} repeats: {number(float(np.mean(only)))} ± {number(deviation)}."
        return Finding(name="luck", status="INFO", value=value, expected="", why=why, fix="")
    first, second = list(setups)[:2]
    lost = sweep.diverged.get(second, 0)
    if lost > sweep.diverged.get(first, 0):
        why = f"{lost} of {lost + len(setups[second])} repeats of {said(second)} diverged."
        return Finding(name="luck", status="OK", value=value, expected="", why=why, fix="")
    return lead_finding(value, first, second, lead_of(sweep, first, second))


def lead_finding(value: dict[str, float], first: Values, second: Values, lead: Lead) -> Finding:
    """The finding on the lead of one configuration over the next; `value` holds what is known already."""
    return Finding(
        name="luck",
        status="OK" if lead.clear else "WARN",
        value=value | {"lead": lead.gap, "error of the lead": lead.error},
        expected=f"a lead of more than {lead.limit:.3g} errors, which luck exceeds in {LUCK:.0%} of sweeps",
        why=f"{said(first)} leads {said(second)} by {number(lead.gap)} ± {number(lead.error)}: "
        + (
            "more than the spread of repeats."
            if lead.clear
            else "not more than the spread of repeats; take either."
        ),
        fix="" if lead.clear else "Add seeds if it matters, or take the cheaper one.",
    )


def lead_of(sweep: Sweep, first: Values, second: Values) -> Lead:
    """The lead of one configuration over another; on the same folds, it is the mean of the differences."""
    one, other = by_fold(sweep, first), by_fold(sweep, second)
    shared = sorted(one.keys() & other.keys())
    if len(shared) > 1:
        return paired(np.array([one[fold] - other[fold] for fold in shared]), folds=_planned(sweep, shared))
    setups = sweep.setups
    results = setups[first], setups[second]
    gap = abs(float(np.mean(results[0])) - float(np.mean(results[1])))
    error = (pooled_deviation(setups) or 0.0) * math.sqrt(sum(1 / len(some) for some in results))
    freedom = sum(len(some) - 1 for some in setups.values())
    return Lead(gap, error, _limit(freedom))


def paired(differences: np.ndarray, *, folds: int) -> Lead:
    """The lead from the differences on each fold, (N,), of so many planned folds."""
    count = len(differences)
    overlap = 1 / (folds - 1) if folds > 1 else 0.0  # held-out images of a fold over its training images
    error = float(differences.std(ddof=1)) * math.sqrt(1 / count + overlap)
    return Lead(abs(float(differences.mean())), error, _limit(count - 1))


def by_fold(sweep: Sweep, values: Values) -> dict[str, float]:
    """The mean result of a configuration on each fold; empty without folds."""
    found: dict[str, list[float]] = {}
    for row in sweep.rows:
        done = row.status == FINISHED and row.value is not None
        if done and setup_of(row) == values and FOLD in row.overrides:
            found.setdefault(row.overrides[FOLD], []).append(row.value or 0.0)
    return {fold: float(np.mean(results)) for fold, results in found.items()}


def pooled_deviation(setups: dict[Values, list[float]]) -> float | None:
    """The pooled standard deviation within configurations that were repeated; None if none was."""
    several = [np.asarray(values) for values in setups.values() if len(values) > 1]
    if not several:
        return None
    squares = sum(float(np.square(values - values.mean()).sum()) for values in several)
    return math.sqrt(squares / sum(len(values) - 1 for values in several))


def said(values: Iterable[tuple[str, str]]) -> str:
    """The values of a configuration as typed."""
    return ", ".join(f"{name}={value}" for name, value in values) or "the configuration"


def _planned(sweep: Sweep, shared: Sequence[str]) -> int:
    found = sweep.ranges.get(FOLD)
    return max(len(found.points(0)) if found is not None else 0, len(shared))


def _limit(freedom: int) -> float:
    return float(student.ppf(1 - LUCK / 2, freedom))
