"""Detect whether the best trials cluster at an end of a range, so that the optimum may lie beyond it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, exp
from statistics import median

from imagelab.config.compose import compose, key
from imagelab.config.validate import quick_problems
from imagelab.reports.sweep.rows import Sweep, as_number, place
from imagelab.sweep.kfold import FOLD
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import Values

OUTERMOST = 0.1  # outer fraction of a range that holds the best trial
OUTER = 0.25  # outer fraction that holds half of the best trials
SHARE = 0.5  # end of a range below 1 from which on its values are taken for shares, which end at 1
LEAST = 3  # fewest trials that count as the best; a quarter of all if that is more


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A range with the best trials at one end.

    Args:
        name: Name of the parameter.
        upper: Whether it is the upper end.
        value: Value of the best trial.
        wider: Range to search instead, in Hydra's syntax: extended by half beyond that end.
    """

    name: str
    upper: bool
    value: str
    wider: str


def edges(sweep: Sweep) -> list[Edge]:
    """The edges of all numeric parameters whose range can be widened."""
    setups = [dict(values) for values in sweep.setups]
    top = setups[: max(LEAST, ceil(len(setups) / 4))]
    found: list[Edge] = []
    for name, searched in sweep.parameters.items():
        words = [values[name] for values in top if name in values]
        places = [one for one in (place(searched, word) for word in words) if one is not None]
        side = _side(places) if len(places) >= LEAST else None
        if side is None or not _has_ends(searched):
            continue
        more = wider(searched, upper=side, fits=partial(accepted, sweep, name))
        if more is not None:
            found.append(Edge(name=name, upper=side, value=words[0], wider=more))
    return found


def wider(searched: Range, *, upper: bool, fits: Callable[[str], bool]) -> str | None:
    """A range extended beyond one of its ends, in Hydra's syntax; None if nothing beyond it makes sense.

    Args:
        searched: Range to extend.
        upper: Whether to extend it at its upper end.
        fits: Whether the config accepts a value.
    """
    if isinstance(searched, Interval):
        value = _beyond(_by_half(searched, upper), searched.low, searched.high, upper, whole=searched.whole)
        ends = {"high" if upper else "low": value}
        return replace(searched, **ends).text() if value is not None and fits(f"{value!r}") else None
    numbers = sorted({number for word in searched.words if (number := as_number(word)) is not None})
    whole = all(number.is_integer() for number in numbers)
    value = _beyond(_by_a_step(numbers, upper), numbers[0], numbers[-1], upper, whole=whole)
    if value is None:
        return None
    word = f"{value}" if whole else f"{value:.4g}"
    if not fits(word):
        return None
    return ",".join([*searched.words, word] if upper else [word, *searched.words])


def accepted(sweep: Sweep, name: str, word: str) -> bool:
    """Whether the config of the best trial accepts a value."""
    words = [one for one in words_of(sweep, next(iter(sweep.setups))) if key(one) != name]
    fold = [f"{FOLD}=0"] if FOLD in sweep.ranges else []
    composed = compose("train", [*words, *fold, f"{name}={word}"])
    return composed.cfg is not None and not composed.problems and not quick_problems(composed.cfg)


def words_of(sweep: Sweep, values: Values) -> list[str]:
    """The overrides of a configuration, without seed and fold."""
    return [*sweep.fixed, *(f"{name}={value}" for name, value in values)]


def _beyond(value: float, low: float, high: float, upper: bool, *, whole: bool) -> float | None:
    """The number itself, rounded, if it lies beyond the end and makes sense; else None."""
    if value <= 0 < low:
        value = low / 2  # what was never 0 or negative stays positive
    if value < 0 <= low:
        return None
    end = high if upper else low
    rounded = round(value) if whole else _short(value, abs(value - end) / 10)
    if rounded <= 0 < low:
        return None
    beyond = rounded > high if upper else rounded < low
    return rounded if beyond else None


def _by_half(searched: Interval, upper: bool) -> float:
    """The number beyond the end by half the width, on the scale of the search."""
    low = searched.coordinate(searched.low)
    high = searched.coordinate(searched.high)
    place = high + (high - low) / 2 if upper else low - (high - low) / 2
    value = exp(place) if searched.log else place
    if upper and searched.low >= 0 and SHARE <= searched.high <= 1 < value and not searched.log:
        return 1 - (1 - searched.high) / 2
    return value


def _by_a_step(numbers: Sequence[float], upper: bool) -> float:
    """The number one step or ratio beyond the end of a list."""
    end, inner = (numbers[-1], numbers[-2]) if upper else (numbers[0], numbers[1])
    value = end * end / inner if inner > 0 and end > 0 else 2 * end - inner
    if upper and numbers[0] >= 0 and inner > SHARE and end <= 1 < value:
        return 1 - (1 - end) ** 2 / (1 - inner)
    return value


def _short(value: float, error: float) -> float:
    """A number with as few digits, but at least two, as differ from it by at most an error."""
    rounded = (float(f"{value:.{digits}g}") for digits in range(2, 17))
    return next((one for one in rounded if abs(one - value) <= error), value)


def _side(places: Sequence[float]) -> bool | None:
    """Whether the first position, and half of all, are at the upper end; None: at neither end."""
    middle = median(places)
    if places[0] <= OUTERMOST and middle <= OUTER:
        return False
    return True if places[0] >= 1 - OUTERMOST and middle >= 1 - OUTER else None


def _has_ends(searched: Range) -> bool:
    return isinstance(searched, Interval) or len(searched.words) > 2
