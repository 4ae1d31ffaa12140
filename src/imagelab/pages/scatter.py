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

MANY_POINTS = 2000
ROUND = 'stroke-width="6" stroke-linecap="round" stroke-opacity=".6"'  # a dot is a line of length 0


def scatter(
    points: Sequence[tuple[float, float]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    names: Sequence[str],
    groups: Sequence[str] = (),
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
    words = [f"{name}: {one:.4g}, {other:.4g}" for name, (one, other) in zip(names, points, strict=True)]
    series, dots = list(dict.fromkeys(groups)) or [""], []
    for place, group in enumerate(series):
        own = [_dot(places[i], words[i]) for i in kept if not groups or groups[i] == group]
        dots += [f'<g stroke="{COLOURS[place % len(COLOURS)]}" {ROUND}>', *own, "</g>"]
    shown = [*labels(title, x_label, y_label, x, y), *grid(x, y), *dots, *legend(series, x.end)]
    return drawing(title, width, height, shown)


def _dot(place: tuple[float, float], words: str) -> str:
    return f'<path d="M{place[0]:.1f} {place[1]:.1f}h0"><title>{html(words)}</title></path>'


def _apart(places: Mapping[int, tuple[float, float]]) -> list[int]:
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
