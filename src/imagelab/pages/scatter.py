"""Draw points as static SVG; the mouse shows each point's name."""

import math
from collections.abc import Mapping, Sequence

from imagelab.pages.axes import (
    BOTTOM,
    COLOURS,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    Axis,
    drawing,
    grid,
    labels,
    legend,
    legend_width,
)
from imagelab.pages.wording import html

Point = tuple[float, float]

MANY_POINTS = 2000
ROUND = 'stroke-width="6" stroke-linecap="round" stroke-opacity=".6"'  # a dot is a line of length 0


def scatter(
    points: Sequence[Point],
    *,
    title: str,
    x_label: str,
    y_label: str,
    names: Sequence[str],
    groups: Sequence[str] = (),
    line: Point | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """Draw points whose names the mouse shows; some of those too close to distinguish are left out.

    Args:
        points: x and y of each point; non-finite ones are left out.
        title: Title above the axes.
        x_label: Label of x, with its unit.
        y_label: Label of y, with its unit.
        names: Name of each point.
        groups: Group of each point, which sets its colour; empty: all have the same.
        line: Straight line behind them: its y at x = 0, and its slope; None: no line.
        width: Width of the picture, in pixels.
        height: Height of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    finite = {i: point for i, point in enumerate(points) if all(map(math.isfinite, point))}
    x = Axis.around([x for x, _ in finite.values()], LEFT, width - legend_width(dict.fromkeys(groups)))
    y = Axis.around([y for _, y in finite.values()], height - BOTTOM, TOP)
    places = {i: (x.pixel(one), y.pixel(other)) for i, (one, other) in finite.items()}
    kept = _apart(places)
    if len(kept) < len(finite):
        title = f"{title} ({len(kept):,} of {len(finite):,} points)"
    words = [f"{name}: {point[0]:.4g}, {point[1]:.4g}" for name, point in zip(names, points, strict=True)]
    own = _by_group(kept, groups)
    dots = [*_line(line, x, y), *(_dots(n, mine, places, words) for n, mine in enumerate(own.values()))]
    shown = [*labels(title, x_label, y_label, x, y), *grid(x, y), *dots, *legend([*own], x.end)]
    return drawing(title, width, height, shown)


def _by_group(kept: Sequence[int], groups: Sequence[str]) -> dict[str, list[int]]:
    """The points of each group; all are of one if there are none."""
    found: dict[str, list[int]] = {group: [] for group in groups or [""]}
    for i in kept:
        found[groups[i] if groups else ""].append(i)
    return found


def _dots(place: int, mine: Sequence[int], places: Mapping[int, Point], words: Sequence[str]) -> str:
    dots = "".join(_dot(places[i], words[i]) for i in mine)
    return f'<g stroke="{COLOURS[place % len(COLOURS)]}" {ROUND}>{dots}</g>'


def _line(line: Point | None, x: Axis, y: Axis) -> list[str]:
    """The part of a line within the axes; nothing without a line."""
    if line is None:
        return []
    (start, slope) = line
    ends = [x.low, x.high]
    if slope:
        ends = sorted(min(max((limit - start) / slope, x.low), x.high) for limit in (y.low, y.high))
    (x1, y1), (x2, y2) = ((x.pixel(end), y.pixel(start + slope * end)) for end in ends)
    return [f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" stroke-opacity=".4"/>']


def _dot(place: Point, words: str) -> str:
    return f'<path d="M{place[0]:.1f} {place[1]:.1f}h0"><title>{html(words)}</title></path>'


def _apart(places: Mapping[int, Point]) -> list[int]:
    """At most MANY_POINTS points: the first in each cell of a grid, so that isolated ones stay."""
    kept = list(places)
    cell = 1.0
    while len(kept) > MANY_POINTS:
        first: dict[tuple[int, int], int] = {}
        for i, (x, y) in places.items():
            first.setdefault((int(x / cell), int(y / cell)), i)
        kept = list(first.values())
        cell *= 1.25
    return kept
