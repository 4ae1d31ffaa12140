"""What is searched: ranges in the words that Hydra has for them, the same in YAML and on the command line.

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

DIGITS = 4  # of drawn numbers: what one can read, type again and compare
FORMS = "choice(a,b), range(1,4), interval(0,0.5), int(interval(16,256)) or tag(log,interval(1e-4,1e-1))"


@dataclass(frozen=True)
class Values:
    """A list of values, as one types them."""

    words: tuple[str, ...]

    def text(self) -> str:
        """In Hydra's words."""
        return f"choice({','.join(self.words)})"

    def draw(self, share: float) -> str:
        """The value at a share in [0, 1) of the list."""
        return self.words[int(share * len(self.words))]

    def points(self, count: int) -> list[str]:
        """All values, whatever the count."""
        return list(self.words)


@dataclass(frozen=True)
class Interval:
    """All numbers between two, both included; log: even in their logarithm; whole: whole numbers only."""

    low: float
    high: float
    log: bool
    whole: bool

    def text(self) -> str:
        """In Hydra's words."""
        ends = f"interval({self.shown(self.low)},{self.shown(self.high)})"
        inner = f"int({ends})" if self.whole else ends
        return f"tag(log,{inner})" if self.log else inner

    def draw(self, share: float) -> str:
        """The number at a share in [0, 1) of the way; of whole numbers, each has the same part of it."""
        half = 0.5 if self.whole else 0.0
        return self.shown(self._at(share, self.low - half, self.high + half))

    def points(self, count: int) -> list[str]:
        """This many numbers at equal distances, or ratios, ends included."""
        shares = [i / (count - 1) for i in range(count)] if count > 1 else [0.5]
        return list(dict.fromkeys(self.shown(self._at(share, self.low, self.high)) for share in shares))

    def shown(self, value: float) -> str:
        """A number of the interval as one types it.

        >>> Interval(1e-4, 1e-1, log=True, whole=False).shown(0.00123456)
        '0.001235'
        """
        inside = min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)
        return str(min(max(round(value), int(self.low)), int(self.high))) if self.whole else f"{inside:g}"

    def coordinate(self, value: float) -> float:
        """Where a number lies, in the scale in which draws are even."""
        return math.log(value) if self.log else value

    def _at(self, share: float, low: float, high: float) -> float:
        if self.log:
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)


Range = Values | Interval


def flat(space: Mapping[str, Any] | None, above: str = "") -> dict[str, Any]:
    """The ranges by key, also where they were typed as `sweep.space.optimizer.lr=...`.

    >>> flat({"optimizer.lr": "range(1,3)", "model": {"dropout": "interval(0,1)"}})
    {'optimizer.lr': 'range(1,3)', 'model.dropout': 'interval(0,1)'}
    """
    found: dict[str, Any] = {}
    for key, value in (space or {}).items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def parsed(key: str, text: Any, where: str) -> Range:
    """A range by its words.

    Args:
        key: Key that is searched.
        text: The range in Hydra's words.
        where: Key that messages name.

    Raises:
        Problem: They are no range.
    """
    try:
        override = parse_word(f"{key}={text}")
    except HydraException as error:
        raise Problem(f"{where}: {text} cannot be read as a range; say {FORMS}") from error
    found = range_of(override, where)
    if found is None:
        raise Problem(f"{where}: {text} is not a range; say {FORMS}")
    return found


def range_of(override: Override, where: str) -> Range | None:
    """The range that a word stands for; None where it sets one value.

    Raises:
        Problem: No value lies in it.
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
            f"{where}: a sweep that can resume keeps its order; leave shuffle out, or set sweep=random"
        )
    words = tuple(override.sweep_string_iterator())
    if not words:
        raise Problem(f"{where}: there is no value in it, got {override.input_line}")
    return Values(words)


def _interval(value: IntervalSweep, where: str) -> Interval:
    low = value.start or 0.0
    high = value.end or 0.0
    log = "log" in value.tags
    whole = isinstance(low, int) and isinstance(high, int)
    if value.tags - {"log"}:
        raise Problem(f"{where}: the only tag of a range is log, got {', '.join(sorted(value.tags))}")
    if not low < high:
        raise Problem(f"{where}: a range begins below its end, got {low:g} to {high:g}")
    if log and low <= 0:
        raise Problem(f"{where}: a range in logarithms begins above 0, got {low:g} to {high:g}")
    return Interval(low, high, log=log, whole=whole)
