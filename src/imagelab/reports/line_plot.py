"""Lines in axes as an SVG picture: static, small, the same text for the same numbers.

Source: colours of Okabe & Ito 2008, https://jfly.uni-koeln.de/color/, told apart by colour-blind eyes, too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = tuple[Sequence[float], Sequence[float]]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("", "7 3", "2 3")  # where there are more lines than colours
LEFT, TOP, BOTTOM = 64, 34, 46  # pixels around the axes
LETTER = 6.7  # pixels: mean width of one at this size
FEW = 30  # points of a line up to which each is marked


@dataclass(frozen=True)
class Axis:
    """From values to pixels.

    Args:
        low: The smallest value shown; above 0 where `log`.
        high: The largest, > low.
        start: The pixel of `low`.
        end: The pixel of `high`.
        log: Whether equal ratios are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    @property
    def middle(self) -> float:
        """The pixel halfway."""
        return (self.start + self.end) / 2

    def pixel(self, value: float) -> float:
        """Where a value lies."""
        low, high, here = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values to write at the axis: about six, powers of ten where the axis is logarithmic."""
        low, high = (math.log10(v) if self.log else v for v in (self.low, self.high))
        if self.log and high - low < 1:
            rounds = [m * 10.0**k for k in range(math.floor(low), math.floor(high) + 1) for m in (1, 2, 5)]
            return [value for value in rounds if self.low <= value <= self.high]
        step = max(1, round_step((high - low) / 6)) if self.log else round_step((high - low) / 6)
        places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
        return [10.0 ** round(place * step) if self.log else place * step for place in places]


def line_plot(
    series: Mapping[str, Points],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    y_limits: tuple[float, ...] = (),
    width: int = 760,
    height: int = 440,
) -> str:
    """The text of an SVG file, with a legend of several lines and, under the mouse, the values.

    Points that cannot be drawn are left out: no numbers, infinite ones, and those up to 0 on a log axis.

    Args:
        series: For each line its name, and its x and y values, equally many.
        title: Above the axes.
        x_label: What x is, and its unit.
        y_label: What y is, and its unit.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is.
        y_limits: Values of y that the axis covers in any case.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    drawn = {name: _drawable(points, log_x, log_y) for name, points in series.items()}
    right = width - (52 + LETTER * max(map(len, series)) if len(series) > 1 else 16)
    x = _axis([x for points in drawn.values() for x, _ in points], LEFT, right, log_x)
    y = _axis([y for points in drawn.values() for _, y in points] + [*y_limits], height - BOTTOM, TOP, log_y)
    lines = [_line(name, points, x, y, _style(i)) for i, (name, points) in enumerate(drawn.items())]
    legend = [_entry(name, right + 14, TOP + 8 + 17 * i, _style(i)) for i, name in enumerate(series)]
    shown = [*_grid(x, y), *lines, *(legend if len(series) > 1 else [])]
    words = [_text(title, x.middle, 20, size=14), _text(x_label, x.middle, height - 10)]
    words += [_text(y_label, 15, y.middle, turned=True)]
    return "\n".join([_head(title, width, height), *words, *shown, "</svg>", ""])


def side_by_side(plots: Sequence[str], *, columns: int, width: int, height: int) -> str:
    """The text of an SVG file with several plots in rows.

    Args:
        plots: Their texts, all of one size.
        columns: Plots a row.
        width: Of each, in pixels.
        height: Of each, in pixels.
    """
    rows = -(-len(plots) // columns)
    size = f'width="{columns * width}" height="{rows * height}"'
    placed = [
        plot.replace("<svg ", f'<svg x="{i % columns * width}" y="{i // columns * height}" ', 1)
        for i, plot in enumerate(plots)
    ]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *placed, "</svg>", ""])


def round_step(length: float) -> float:
    """The nearest of 1, 2, 5, 10 times a power of ten that is no shorter.

    >>> [round_step(length) for length in (0.03, 1, 1.2, 70)]
    [0.05, 1.0, 2.0, 100.0]
    """
    power = 10.0 ** math.floor(math.log10(length))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= length * (1 - 1e-9))


def _drawable(points: Points, log_x: bool, log_y: bool) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in zip(*points, strict=True)
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
    ]


def _axis(values: list[float], start: float, end: float, log: bool) -> Axis:
    if not values:
        raise ValueError("a plot wants at least one point that can be drawn, got none")
    low, high = min(values), max(values)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return Axis(low, high, start, end, log)


def _head(title: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="#333">\n'
        f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>'
    )


def _text(words: str, x: float, y: float, *, size: int = 12, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="middle"{turn}>{escape(words)}</text>'
    )


def _grid(x: Axis, y: Axis) -> list[str]:
    edges = f"M{x.start:.1f} {y.end:.1f}V{y.start:.1f}H{x.end:.1f}"
    across = [
        f'<path d="M{x.start:.1f} {y.pixel(v):.1f}H{x.end:.1f}" stroke="#ddd"/>'
        f'<text x="{x.start - 7:.1f}" y="{y.pixel(v) + 4:.1f}" text-anchor="end">{v:.3g}</text>'
        for v in y.ticks()
    ]
    along = [
        f'<path d="M{x.pixel(v):.1f} {y.start:.1f}v5" stroke="#333"/>'
        f'<text x="{x.pixel(v):.1f}" y="{y.start + 18:.1f}" text-anchor="middle">{v:.3g}</text>'
        for v in x.ticks()
    ]
    return [*across, *along, f'<path d="{edges}" fill="none" stroke="#333"/>']


def _line(name: str, points: list[tuple[float, float]], x: Axis, y: Axis, style: str) -> str:
    places = " ".join(f"{x.pixel(one):.1f},{y.pixel(other):.1f}" for one, other in points)
    marks = [
        f'<circle cx="{x.pixel(one):.1f}" cy="{y.pixel(other):.1f}" r="2.5" stroke-dasharray="none">'
        f"<title>{escape(name)}: {one:.3g}, {other:.3g}</title></circle>"
        for one, other in (points if len(points) <= FEW else [])
    ]
    return "\n".join(
        [
            f'<g fill="none" {style}>',
            f'<polyline points="{places}"><title>{escape(name)}</title></polyline>',
            *marks,
            "</g>",
        ]
    )


def _entry(name: str, left: float, top: float, style: str) -> str:
    line = f'<path d="M{left:.1f} {top}h24" {style}/>'
    return f'{line}<text x="{left + 30:.1f}" y="{top + 4}">{escape(name)}</text>'


def _style(place: int) -> str:
    colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
    return f'stroke="{colour}" stroke-width="1.8"' + (f' stroke-dasharray="{dash}"' if dash else "")
