"""Detect whether the best trials cluster at an end of a range, so that the optimum may lie beyond it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp
from statistics import median

from imagelab.reports.sweep.rows import Sweep, as_number, place
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import FINISHED

OUTERMOST = 0.1  # outer fraction of a range that holds the best trial
OUTER = 0.25  # outer fraction that holds half of the best trials
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
    """The edges of all numeric parameters."""
    finished = [row for row in sweep.rows if row.status == FINISHED and row.value is not None]
    top = finished[: max(LEAST, ceil(len(finished) / 4))]
    found: list[Edge] = []
    for name, searched in sweep.parameters.items():
        words = [row.overrides[name] for row in top if name in row.overrides]
        places = [one for one in (place(searched, word) for word in words) if one is not None]
        side = _side(places) if len(places) >= LEAST else None
        if side is not None and _has_ends(searched):
            found.append(Edge(name=name, upper=side, value=words[0], wider=wider(searched, upper=side)))
    return found


def wider(searched: Range, *, upper: bool) -> str:
    """A range extended beyond one of its ends, in Hydra's syntax."""
    if not isinstance(searched, Interval):
        numbers = sorted(number for word in searched.words if (number := as_number(word)) is not None)
        end, inner = (numbers[-1], numbers[-2]) if upper else (numbers[0], numbers[1])
        ratio = inner > 0 and end > 0
        beyond = end * end / inner if ratio else 2 * end - inner
        more = f"{beyond:.4g}" if not all(number.is_integer() for number in numbers) else f"{round(beyond)}"
        return ",".join(dict.fromkeys([*searched.words, more] if upper else [more, *searched.words]))
    low, high = searched.coordinate(searched.low), searched.coordinate(searched.high)
    new = high + (high - low) / 2 if upper else low - (high - low) / 2
    value = exp(new) if searched.log else new
    if not upper and not searched.log and searched.low >= 0:
        value = max(0.0, value)  # few searched values may be negative
    ends = (searched.low, value) if upper else (value, searched.high)
    rounded = [round(end) if searched.whole else float(f"{end:.2g}") for end in ends]
    return Interval(rounded[0], rounded[1], log=searched.log, whole=searched.whole).text()


def _side(places: Sequence[float]) -> bool | None:
    """Whether the first position, and half of all, are at the upper end; None: at neither end."""
    middle = median(places)
    if places[0] <= OUTERMOST and middle <= OUTER:
        return False
    return True if places[0] >= 1 - OUTERMOST and middle >= 1 - OUTER else None


def _has_ends(searched: Range) -> bool:
    return isinstance(searched, Interval) or len(searched.words) > 2
