"""Parse the ranges to search: Hydra's syntax, the same in YAML and on the command line.

`a,b` or `choice(a,b)`, `range(1,4)`, `interval(0,0.5)`, `int(interval(16,256))`,
`tag(log,interval(1e-4,1e-1))`.

Source: https://hydra.cc/docs/1.3/advanced/override_grammar/extended/
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException

from imagelab.config import menu
from imagelab.config.hydra_internals import Glob, IntervalSweep, Override, parse_word
from imagelab.problem import Problem

DIGITS = 4  # significant digits of drawn numbers, so that one can read, type and compare them
FORMS = "choice(a,b), range(1,4), interval(0,0.5), int(interval(16,256)) or tag(log,interval(1e-4,1e-1))"


@dataclass(frozen=True)
class Values:
    """A list of values, as typed."""

    words: tuple[str, ...]

    def text(self) -> str:
        """The range in Hydra's syntax."""
        return f"choice({','.join(self.words)})"

    def draw(self, share: float) -> str:
        """The value at a position in [0, 1) of the list."""
        return self.words[int(share * len(self.words))]

    def points(self, count: int) -> list[str]:
        """All values; `count` is ignored."""
        return list(self.words)


@dataclass(frozen=True)
class Interval:
    """All numbers between two, both included; log: uniform in the logarithm; whole: integers only."""

    low: float
    high: float
    log: bool
    whole: bool

    def text(self) -> str:
        """The range in Hydra's syntax."""
        ends = f"interval({self._exact(self.low)},{self._exact(self.high)})"
        inner = f"int({ends})" if self.whole else ends
        return f"tag(log,{inner})" if self.log else inner

    def draw(self, share: float) -> str:
        """The number at a position in [0, 1) of the interval; all integers have equal parts of it."""
        half = 0.5 if self.whole else 0.0
        return self.shown(self._at(share, self.low - half, self.high + half))

    def points(self, count: int) -> list[str]:
        """`count` numbers, evenly spaced (log: with equal ratios), ends included."""
        shares = [i / (count - 1) for i in range(count)] if count > 1 else [0.5]
        return list(dict.fromkeys(self.shown(self._at(share, self.low, self.high)) for share in shares))

    def shown(self, value: float) -> str:
        """A number of the interval as typed.

        >>> Interval(1e-4, 1e-1, log=True, whole=False).shown(0.00123456)
        '0.001235'
        """
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return self._exact(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))

    def coordinate(self, value: float) -> float:
        """The position of a number on the scale on which draws are uniform."""
        return math.log(value) if self.log else value

    def _exact(self, value: float) -> str:
        short = f"{value:g}"
        if self.whole:
            return str(int(value))
        return short if float(short) == value else repr(float(value))

    def _at(self, share: float, low: float, high: float) -> float:
        if self.log:
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)


Range = Values | Interval


def flat(space: Mapping[str, Any] | None, above: str = "") -> dict[str, Any]:
    """The ranges by full key, even if they were typed as `sweep.space.optimizer.lr=...`.

    >>> flat({"optimizer.lr": "range(1,3)", "model": {"dropout": "interval(0,1)"}})
    {'optimizer.lr': 'range(1,3)', 'model.dropout': 'interval(0,1)'}
    """
    found: dict[str, Any] = {}
    for key, value in (space or {}).items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def parsed(key: str, text: Any, where: str) -> Range:
    """Parse a range.

    Args:
        key: Searched key.
        text: Range in Hydra's syntax.
        where: Key to name in messages.

    Raises:
        Problem: If the text is not a range.
    """
    try:
        override = parse_word(f"{key}={text}")
    except HydraException as error:
        raise Problem(f"{where}: {text} cannot be parsed as a range; use {FORMS}") from error
    found = range_of(override, where)
    if found is None:
        raise Problem(f"{where}: {text} is not a range; use {FORMS}")
    return found


def range_of(override: Override, where: str) -> Range | None:
    """The range of an override; None if it sets a single value.

    Raises:
        Problem: If the range is empty.
    """
    value = override.value()
    if isinstance(value, Glob):
        return Values(tuple(value.filter(menu.choices(override.key_or_group))))
    if isinstance(value, IntervalSweep):
        return _interval(value, where)
    if not override.is_sweep_override():
        return None
    if getattr(value, "shuffle", False):
        raise Problem(
            f"{where}: a sweep that can be resumed has a fixed order; leave shuffle out, or set sweep=random"
        )
    words = tuple(override.sweep_string_iterator())
    if not words:
        raise Problem(f"{where}: the range is empty, got {override.input_line}")
    return Values(words)


def _interval(value: IntervalSweep, where: str) -> Interval:
    low = 0.0 if value.start is None else value.start
    high = 0.0 if value.end is None else value.end
    log = "log" in value.tags
    whole = isinstance(low, int) and isinstance(high, int)
    if value.tags - {"log"}:
        raise Problem(f"{where}: the only tag of a range is log, got {', '.join(sorted(value.tags))}")
    if not low < high:
        raise Problem(f"{where}: the start of a range must be below its end, got {low:g} to {high:g}")
    if log and low <= 0:
        raise Problem(f"{where}: a logarithmic range must start above 0, got {low:g} to {high:g}")
    return Interval(low, high, log=log, whole=whole)
