"""Whether the best trials crowd at an end of a range: then the optimum may lie beyond it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp
from statistics import median

from imagelab.reports.sweep.rows import Sweep, as_number, place
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import FINISHED

OUTERMOST = 0.1  # part of a range in which the best trial lies
OUTER = 0.25  # part in which half of the best ones lie
LEAST = 3  # of the best ones; a quarter of all, where that is more


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A range whose end is where the best trials are.

    Args:
        name: Of the parameter.
        upper: Whether it is the upper end.
        value: Of the best trial.
        wider: The range to search instead, in Hydra's words: half as wide again, beyond that end.
    """

    name: str
    upper: bool
    value: str
    wider: str


def edges(sweep: Sweep) -> list[Edge]:
    """Those of all parameters that are numbers."""
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
    """A range that goes on beyond one of its ends, in Hydra's words."""
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
        value = max(0.0, value)  # few things that are searched may be negative
    ends = (searched.low, value) if upper else (value, searched.high)
    rounded = [round(end) if searched.whole else float(f"{end:.2g}") for end in ends]
    return Interval(rounded[0], rounded[1], log=searched.log, whole=searched.whole).text()


def _side(places: Sequence[float]) -> bool | None:
    """Whether the first place, and half of all, are at the upper end; None: at neither."""
    middle = median(places)
    if places[0] <= OUTERMOST and middle <= OUTER:
        return False
    return True if places[0] >= 1 - OUTERMOST and middle >= 1 - OUTER else None


def _has_ends(searched: Range) -> bool:
    return isinstance(searched, Interval) or len(searched.words) > 2
