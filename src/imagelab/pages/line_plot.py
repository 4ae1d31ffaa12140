"""Draw lines in axes as SVG: static, small, the same text for the same numbers."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from imagelab.pages.axes import (
    BOTTOM,
    COLOURS,
    DASHES,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    Axis,
    drawing,
    grid,
    labels,
    legend_width,
)
from imagelab.pages.wording import html

Points = tuple[Sequence[float], Sequence[float]]

FEW = 30  # points of a line up to which each is marked
MANY = 1500  # points of a line above which those that fall into one column of pixels are thinned


def line_plot(
    series: Mapping[str, Points],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    y_limits: tuple[float, ...] = (),
    behind: Mapping[str, Points] | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """The text of an SVG file, with a legend for several lines; the mouse shows the values.

    Args:
        series: Name of each line -> its x and y values; non-finite ones, and ones <= 0 on log axes, are left
            out.
        title: Title above the axes.
        x_label: Label of x, with its unit.
        y_label: Label of y, with its unit.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is logarithmic.
        y_limits: Values of y that the axis covers in any case.
        behind: Points shown pale behind the line of the same name, such as those it is a mean of.
        width: Width of the picture, in pixels.
        height: Height of the picture, in pixels.

    Raises:
        ValueError: There is nothing to draw.
    """
    drawn, pale = (_all_drawable(given, log_x, log_y) for given in (series, behind or {}))
    every = [point for points in (*drawn.values(), *pale.values()) for point in points]
    x = Axis.around([x for x, _ in every], LEFT, width - legend_width(series), log_x)
    y = Axis.around([*(y for _, y in every), *y_limits], height - BOTTOM, TOP, log_y)
    styles = {name: _style(i) for i, name in enumerate(series)}
    lines = [_pale(points, x, y, styles[name]) for name, points in pale.items()]
    lines += [_line(name, points, x, y, styles[name]) for name, points in drawn.items()]
    shown = [*labels(title, x_label, y_label, x, y), *grid(x, y), *lines, *_entries(styles, x.end + 14)]
    return drawing(title, width, height, shown)


def side_by_side(plots: Sequence[str], *, columns: int, width: int, height: int) -> str:
    """The text of an SVG file with several plots in rows.

    Args:
        plots: Texts of the plots, all of one size.
        columns: Plots per row.
        width: Width of each plot, in pixels.
        height: Height of each plot, in pixels.
    """
    rows = -(-len(plots) // columns)
    size = f'width="{columns * width}" height="{rows * height}"'
    placed = [
        plot.replace("<svg ", f'<svg x="{i % columns * width}" y="{i // columns * height}" ', 1)
        for i, plot in enumerate(plots)
    ]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *placed, "</svg>", ""])


def _all_drawable(
    series: Mapping[str, Points], log_x: bool, log_y: bool
) -> dict[str, list[tuple[float, float]]]:
    return {name: _drawable(points, log_x, log_y) for name, points in series.items()}


def _drawable(points: Points, log_x: bool, log_y: bool) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for x, y in zip(*points, strict=True)
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
    ]


def _line(name: str, points: list[tuple[float, float]], x: Axis, y: Axis, style: str) -> str:
    places = " ".join(f"{one:.1f},{other:.1f}" for one, other in _thinned(points, x, y))
    marks = [
        f'<circle cx="{x.pixel(one):.1f}" cy="{y.pixel(other):.1f}" r="2.5" stroke-dasharray="none">'
        f"<title>{html(name)}: {one:.3g}, {other:.3g}</title></circle>"
        for one, other in (points if len(points) <= FEW else [])
    ]
    return "\n".join(
        [
            f'<g fill="none" {style}>',
            f'<polyline points="{places}"><title>{html(name)}</title></polyline>',
            *marks,
            "</g>",
        ]
    )


def _pale(points: list[tuple[float, float]], x: Axis, y: Axis, style: str) -> str:
    places = " ".join(f"{one:.1f},{other:.1f}" for one, other in _thinned(points, x, y))
    return f'<g fill="none" {style} opacity="0.3"><polyline points="{places}"/></g>'


def _thinned(points: list[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Points in pixels; if there are very many, the first, lowest, highest and last per pixel column."""
    places = [(x.pixel(one), y.pixel(other)) for one, other in points]
    if len(places) <= MANY:
        return places
    kept = []
    for _, column in groupby(range(len(places)), key=lambda i: int(places[i][0])):
        here = list(column)
        by_height = sorted(here, key=lambda i: places[i][1])
        kept += [places[i] for i in sorted({here[0], by_height[0], by_height[-1], here[-1]})]
    return kept


def _entries(styles: dict[str, str], left: float) -> list[str]:
    """The entries of a legend, if there are several lines."""
    return [
        f'<path d="M{left:.1f} {TOP + 8 + 17 * i}h24" {style}/>'
        f'<text x="{left + 30:.1f}" y="{TOP + 12 + 17 * i}">{html(name)}</text>'
        for i, (name, style) in enumerate(styles.items() if len(styles) > 1 else [])
    ]


def _style(place: int) -> str:
    colour = COLOURS[place % len(COLOURS)]
    dash = DASHES[place // len(COLOURS) % len(DASHES)]
    return f'stroke="{colour}" stroke-width="1.8"' + (f' stroke-dasharray="{dash}"' if dash else "")
