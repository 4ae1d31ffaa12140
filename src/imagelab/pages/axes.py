"""Draw what all charts share: axes, colours, text, and the frame of an SVG picture.

Source: colours of Okabe & Ito 2008, https://jfly.uni-koeln.de/color/, distinct for colour-blind eyes, too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from imagelab.pages.wording import html

WIDTH, HEIGHT = 760, 440  # pixels of a chart
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("", "7 3", "2 3")  # where there are more lines than colours
LEFT, TOP, BOTTOM = 68, 34, 46  # pixels around the axes
LETTER = 6.7  # pixels: mean width of one at this size


@dataclass(frozen=True)
class Axis:
    """From values to pixels.

    Args:
        low: Smallest value shown; above 0 on a log scale.
        high: Largest value shown, > low.
        start: Pixel of `low`.
        end: Pixel of `high`.
        log: Whether the scale is logarithmic.
        whole: Whether ticks are whole numbers only: there is no epoch 2.5.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool
    whole: bool = field(default=False)

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, log: bool = False) -> "Axis":
        """The axis that just holds some values; where all are whole numbers, its ticks are, too.

        Raises:
            ValueError: There are none.
        """
        if not values:
            raise ValueError("a plot wants at least one point that can be drawn, got none")
        low, high = min(values), max(values)
        whole = all(float(value).is_integer() for value in values)
        if low == high:
            room = 0.5 if whole and low - 0.5 < low < low + 0.5 else abs(low) / 2  # 1e30 + 0.5 is 1e30
            low, high = (low / 2, high * 2) if log else (low - room, high + room)
        return cls(low, high, start, end, log, whole)

    @property
    def middle(self) -> float:
        """The pixel halfway."""
        return (self.start + self.end) / 2

    def pixel(self, value: float) -> float:
        """Where a value lies."""
        low, high, here = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def written(self, value: float) -> str:
        """A value as it stands at the axis."""
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 and not self.log else f"{value:.3g}"

    def ticks(self) -> list[float]:
        """Round values to write at the axis: about six, powers of ten where the axis is logarithmic."""
        low, high = (math.log10(v) if self.log else v for v in (self.low, self.high))
        if self.log and high - low < 1:
            rounds = [m * 10.0**k for k in range(math.floor(low), math.floor(high) + 1) for m in (1, 2, 5)]
            return [value for value in rounds if self.low <= value <= self.high]
        step = round_step((high - low) / 6)
        step = max(1, step) if self.log or self.whole else step
        places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        return [10.0 ** round(place * step) if self.log else place * step for place in places]


def drawing(title: str, width: float, height: float, shown: Iterable[str]) -> str:
    """The text of an SVG file with a title and a body."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="sans-serif" font-size="12" fill="#333">',
            f'<title>{html(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>',
            *shown,
            "</svg>",
            "",
        ]
    )


def labels(title: str, x_label: str, y_label: str, x: Axis, y: Axis) -> list[str]:
    """The title above two axes, and the label of each."""
    return [
        words_at(title, x.middle, 20, size=14),
        words_at(x_label, x.middle, y.start + BOTTOM - 10),
        words_at(y_label, 13, y.middle, turned=True),
    ]


def words_at(words: str, x: float, y: float, *, size: int = 12, turned: bool = False) -> str:
    """Text centred at a point; `turned`: upwards."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="middle"{turn}>{html(words)}</text>'


def rows_of(y: Axis, x: Axis) -> list[str]:
    """Horizontal grid lines at the ticks of the y axis."""
    return [
        f'<path d="M{x.start:.1f} {y.pixel(v):.1f}H{x.end:.1f}" stroke="#ddd"/>'
        f'<text x="{x.start - 7:.1f}" y="{y.pixel(v) + 4:.1f}" text-anchor="end">{y.written(v)}</text>'
        for v in y.ticks()
    ]


def marks_of(x: Axis, y: Axis) -> list[str]:
    """Tick marks of the x axis."""
    return [
        f'<path d="M{x.pixel(v):.1f} {y.start:.1f}v5" stroke="#333"/>'
        f'<text x="{x.pixel(v):.1f}" y="{y.start + 18:.1f}" text-anchor="middle">{x.written(v)}</text>'
        for v in x.ticks()
    ]


def edges(x: Axis, y: Axis) -> str:
    """The two lines of the axes themselves."""
    line = f"M{x.start:.1f} {y.end:.1f}V{y.start:.1f}H{x.end:.1f}"
    return f'<path d="{line}" fill="none" stroke="#333"/>'


def grid(x: Axis, y: Axis) -> list[str]:
    """Both axes with their values."""
    return [*rows_of(y, x), *marks_of(x, y), edges(x, y)]


def legend_width(names: Iterable[str]) -> float:
    """Width of the legend right of the axes, in pixels; 0 for a single name."""
    names = list(names)
    return 52 + LETTER * max(map(len, names)) if len(names) > 1 else 16


def legend(series: Sequence[str], left: float) -> list[str]:
    """The legend right of the axes, if there is more than one series."""
    if len(series) < 2:
        return []
    return [
        f'<rect x="{left + 14:.1f}" y="{TOP + 2 + 17 * i}" width="12" height="12" '
        f'fill="{COLOURS[i % len(COLOURS)]}"/>'
        f'<text x="{left + 32:.1f}" y="{TOP + 12 + 17 * i}">{html(name)}</text>'
        for i, name in enumerate(series)
    ]


def round_step(length: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that is at least `length`.

    >>> [round_step(length) for length in (0.03, 1, 1.2, 70)]
    [0.05, 1.0, 2.0, 100.0]
    """
    power = 10.0 ** math.floor(math.log10(length))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= length * (1 - 1e-9))
