"""Bars, histograms and points as SVG: static, with the values under the mouse."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from imagelab.reports.axes import (
    BOTTOM,
    COLOURS,
    LEFT,
    LETTER,
    TOP,
    Axis,
    drawing,
    edges,
    grid,
    labels,
    legend_width,
    rows_of,
    words_at,
)
from imagelab.reports.matrix import matrix
from imagelab.reports.wording import html, printable, words

__all__ = ["bars", "histogram", "matrix", "scatter"]

WIDTH, HEIGHT = 760, 440
MANY_POINTS = 2000
MANY_BARS = 600  # above it those of a series are one path, without words under the mouse
ROUND = 'stroke-width="6" stroke-linecap="round" stroke-opacity=".6"'  # a dot is a line of length 0
LONGEST = 22  # letters of a name below the axis


def bars(
    values: Mapping[str, Mapping[str, float]],
    *,
    title: str,
    y_label: str,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """A bar for each series of each group, side by side: classes, and the splits of each.

    Args:
        values: Group -> series -> value; a series may be missing in a group.
        title: Above the axes.
        y_label: What the values are, and their unit.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    right = width - legend_width(series)
    slot = (right - LEFT) / max(1, len(values))
    names, below = _names(list(values), slot)
    numbers = [value for group in values.values() for value in group.values() if math.isfinite(value)]
    y = Axis.around([0.0, *numbers] if numbers else [], height - 12 - below, TOP)
    x = Axis(0, max(1, len(values)), LEFT, right, False)
    each = slot * 0.8 / max(1, len(series))
    boxes = [
        (place, f"{group}, {name}: {words(value)}", LEFT + slot * (i + 0.1) + each * place, each, value)
        for i, (group, row) in enumerate(values.items())
        for place, name in enumerate(series)
        if math.isfinite(value := row.get(name, math.nan))
    ]
    shown = [*rows_of(y, x), *_boxes(boxes, y), edges(x, y)]
    shown += [f'<g transform="translate(0 {y.start + 16:.1f})">', *names, "</g>", *_legend(series, right)]
    return drawing(title, width, height, [*labels(title, "", y_label, x, y), *shown])


def histogram(
    values: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_label: str,
    bins: int = 40,
    share: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """How often values occur; several series lie over each other, in the same bins.

    Args:
        values: Series -> its values; those that are no finite numbers are left out.
        title: Above the axes.
        x_label: What the values are, and their unit.
        bins: Into how many intervals of equal length they are sorted.
        share: Whether y is the share of a series, to compare series of different sizes, or a count.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    finite = {name: [v for v in map(float, row) if math.isfinite(v)] for name, row in values.items()}
    x = Axis.around([v for row in finite.values() for v in row], LEFT, width - legend_width(finite))
    cuts = np.linspace(x.low, x.high, bins + 1)
    counts = {name: np.histogram(row, cuts)[0] for name, row in finite.items()}
    heights = {
        name: count / max(1, count.sum()) if share else count.astype(float) for name, count in counts.items()
    }
    y = Axis.around([0.0, *(float(row.max()) for row in heights.values())], height - BOTTOM, TOP)
    wide = (x.end - x.start) / bins
    boxes = [
        (
            place,
            f"{name}, {cuts[i]:.4g} to {cuts[i + 1]:.4g}: {int(counts[name][i]):,}",
            x.pixel(cuts[i]),
            wide,
            row[i],
        )
        for place, (name, row) in enumerate(heights.items())
        for i in range(bins)
        if row[i]
    ]
    through = f'<g fill-opacity="{1 if len(values) == 1 else 0.5}">'
    shown = [*grid(x, y), through, *_boxes(boxes, y), "</g>", *_legend(list(values), x.end)]
    return drawing(
        title, width, height, [*labels(title, x_label, "share" if share else "count", x, y), *shown]
    )


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
    """Points, each with its name under the mouse; of those too near to tell apart, some are left out.

    Args:
        points: x and y of each; those that are no finite numbers are left out.
        title: Above the axes.
        x_label: What x is, and its unit.
        y_label: What y is, and its unit.
        names: Of each point.
        groups: Of each point, which gives it its colour; empty: all the same.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    series = list(dict.fromkeys(groups))
    finite = [i for i, point in enumerate(points) if all(map(math.isfinite, point))]
    x = Axis.around([float(points[i][0]) for i in finite], LEFT, width - legend_width(series))
    y = Axis.around([float(points[i][1]) for i in finite], height - BOTTOM, TOP)
    places = {i: (x.pixel(points[i][0]), y.pixel(points[i][1])) for i in finite}
    kept = _apart(places)
    if len(kept) < len(finite):
        title = f"{title} ({len(kept):,} of {len(finite):,} points)"
    dots = []
    for place, group in enumerate(series or [None]):
        dots.append(f'<g stroke="{COLOURS[place % len(COLOURS)]}" {ROUND}>')
        dots += [
            f'<path d="M{places[i][0]:.1f} {places[i][1]:.1f}h0">'
            f"<title>{html(names[i])}: {points[i][0]:.4g}, {points[i][1]:.4g}</title></path>"
            for i in kept
            if group is None or groups[i] == group
        ]
        dots.append("</g>")
    shown = [*grid(x, y), *dots, *_legend(series, x.end)]
    return drawing(title, width, height, [*labels(title, x_label, y_label, x, y), *shown])


def _apart(places: Mapping[int, tuple[float, float]]) -> list[int]:
    """At most MANY_POINTS of them: the first in each cell of a raster, so that lonely ones stay."""
    kept, cell = list(places), 1.0
    while len(kept) > MANY_POINTS:
        first: dict[tuple[int, int], int] = {}
        for i, (x, y) in places.items():
            first.setdefault((int(x / cell), int(y / cell)), i)
        kept, cell = list(first.values()), cell * 1.25
    return kept


def _boxes(boxes: Sequence[tuple[int, str, float, float, float]], y: Axis) -> list[str]:
    """Bars from zero: each with the place of its series, its words, left edge, width and value."""
    zero = y.pixel(0)
    if len(boxes) > MANY_BARS:
        return [
            f'<path fill="{COLOURS[place % len(COLOURS)]}" d="'
            + "".join(
                f"M{left:.1f} {zero:.0f}V{y.pixel(value):.1f}h{wide:.2f}V{zero:.0f}"
                for one, _, left, wide, value in boxes
                if one == place
            )
            + '"/>'
            for place in sorted({box[0] for box in boxes})
        ]
    return [
        f'<rect x="{left:.1f}" y="{min(zero, y.pixel(value)):.1f}" width="{wide:.1f}" '
        f'height="{abs(zero - y.pixel(value)):.1f}" fill="{COLOURS[place % len(COLOURS)]}">'
        f"<title>{html(name)}</title></rect>"
        for place, name, left, wide, value in boxes
    ]


def _names(names: Sequence[str], slot: float) -> tuple[list[str], float]:
    """The names of groups below the axis, upwards where they are long, and the room that they take."""
    short = [
        printable(name) if len(name) <= LONGEST else f"{printable(name[: LONGEST - 1])}…" for name in names
    ]
    longest = LETTER * max(map(len, short), default=0)
    every = max(1, math.ceil(14 / slot))
    turned = longest > slot * 0.95
    shown = [
        f'<text transform="translate({LEFT + slot * (i + 0.5) + 4:.1f} -6) rotate(-90)" text-anchor="end">'
        f"{html(name)}</text>"
        if turned
        else words_at(name, LEFT + slot * (i + 0.5), 0)
        for i, name in enumerate(short)
        if i % every == 0
    ]
    return shown, longest + 8 if turned else 22


def _legend(series: Sequence[str], left: float) -> list[str]:
    if len(series) < 2:
        return []
    return [
        f'<rect x="{left + 14:.1f}" y="{TOP + 2 + 17 * i}" width="12" height="12" '
        f'fill="{COLOURS[i % len(COLOURS)]}"/>'
        f'<text x="{left + 32:.1f}" y="{TOP + 12 + 17 * i}">{html(name)}</text>'
        for i, name in enumerate(series)
    ]
