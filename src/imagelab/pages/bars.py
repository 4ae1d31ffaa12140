"""Draw grouped bars and histograms as static SVG, with the values under the mouse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagelab.pages.axes import (
    BOTTOM,
    COLOURS,
    HEIGHT,
    LEFT,
    LETTER,
    TOP,
    WIDTH,
    Axis,
    drawing,
    edges,
    grid,
    labels,
    legend,
    legend_width,
    rows_of,
    words_at,
)
from imagelab.pages.wording import html, printable, words

MANY_BARS = 600  # above it those of a series are one path, without words under the mouse
LONGEST = 22  # letters of a name below the axis


@dataclass(frozen=True)
class Box:
    """A bar: index of its series, text, left edge and width in pixels, and value."""

    series: int
    words: str
    left: float
    wide: float
    value: float


def bars(
    values: Mapping[str, Mapping[str, float]],
    *,
    title: str,
    y_label: str,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """Draw a bar for each series of each group, side by side, such as the splits of each class.

    Args:
        values: Group -> series -> value; a series may be missing in a group.
        title: Title above the axes.
        y_label: Label of the values, with their unit.
        width: Width of the picture, in pixels.
        height: Height of the picture, in pixels.

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
        Box(place, f"{group}, {name}: {words(value)}", LEFT + slot * (i + 0.1) + each * place, each, value)
        for i, (group, row) in enumerate(values.items())
        for place, name in enumerate(series)
        if math.isfinite(value := row.get(name, math.nan))
    ]
    shown = [*rows_of(y, x), *_boxes(boxes, y), edges(x, y)]
    shown += [f'<g transform="translate(0 {y.start + 16:.1f})">', *names, "</g>", *legend(series, right)]
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
    """Draw a histogram; several series overlap, in the same bins.

    Args:
        values: Series -> its values; non-finite ones are left out.
        title: Title above the axes.
        x_label: Label of the values, with their unit.
        bins: Number of bins of equal width.
        share: Whether y is the share of a series, to compare series of different sizes, or a count.
        width: Width of the picture, in pixels.
        height: Height of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    finite = {name: [v for v in map(float, row) if math.isfinite(v)] for name, row in values.items()}
    x = Axis.around([v for row in finite.values() for v in row], LEFT, width - legend_width(finite))
    cuts = np.linspace(x.low, x.high, bins + 1)
    counts = {name: np.histogram(row, cuts)[0] for name, row in finite.items()}
    heights = {name: row / (max(1, row.sum()) if share else 1) for name, row in counts.items()}
    y = Axis.around([0.0, *(float(row.max()) for row in heights.values())], height - BOTTOM, TOP)
    boxes = [box for place, name in enumerate(counts) for box in _bins(place, name, counts, heights, cuts, x)]
    through = f'<g fill-opacity="{1 if len(values) == 1 else 0.5}">'
    shown = [*labels(title, x_label, "share" if share else "count", x, y), *grid(x, y)]
    shown += [through, *_boxes(boxes, y), "</g>", *legend(list(values), x.end)]
    return drawing(title, width, height, shown)


def _bins(
    place: int,
    name: str,
    counts: Mapping[str, np.ndarray],
    heights: Mapping[str, np.ndarray],
    cuts: np.ndarray,
    x: Axis,
) -> list[Box]:
    wide = (x.end - x.start) / (len(cuts) - 1)
    return [
        Box(
            place,
            f"{name}, {cuts[i]:.4g} to {cuts[i + 1]:.4g}: {int(count):,}",
            x.start + wide * i,
            wide,
            float(heights[name][i]),
        )
        for i, count in enumerate(counts[name])
        if count
    ]


def _boxes(boxes: Sequence[Box], y: Axis) -> list[str]:
    zero = y.pixel(0)
    if len(boxes) > MANY_BARS:
        return [
            f'<path fill="{COLOURS[place % len(COLOURS)]}" d="'
            + "".join(
                f"M{box.left:.1f} {zero:.0f}V{y.pixel(box.value):.1f}h{box.wide:.2f}V{zero:.0f}"
                for box in boxes
                if box.series == place
            )
            + '"/>'
            for place in sorted({box.series for box in boxes})
        ]
    return [
        f'<rect x="{box.left:.1f}" y="{min(zero, y.pixel(box.value)):.1f}" width="{box.wide:.1f}" '
        f'height="{abs(zero - y.pixel(box.value)):.1f}" fill="{COLOURS[box.series % len(COLOURS)]}">'
        f"<title>{html(box.words)}</title></rect>"
        for box in boxes
    ]


def _names(names: Sequence[str], slot: float) -> tuple[list[str], float]:
    """The names of groups below the axis, upwards if they are long, and the space they take."""
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
