"""Draw the curves of all trials of a sweep in one chart, coloured by result."""

from collections.abc import Mapping, Sequence

import numpy as np

from imagelab.pages.axes import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Axis, drawing, grid, labels
from imagelab.pages.wording import html
from imagelab.reports.curves import Curves, read_curves
from imagelab.reports.sweep.parallel import BEST, trial_tooltip
from imagelab.sweep.trial import Row


def curves_of_trials(rows: Sequence[Row]) -> dict[int, Curves]:
    """The curves of each trial by number, as far as there are any."""
    files = {row.number: row.folder / "metrics.csv" for row in rows}
    return {number: read_curves(file) for number, file in files.items() if file.is_file()}


def curves_plot(
    rows: Sequence[Row], curves: Mapping[int, Curves], metric: str, monitor: str, colours: Mapping[int, str]
) -> str:
    """The text of an SVG file: a metric of val by epoch, one line per trial; empty if no trial has it.

    Args:
        rows: Trials, the best first, which is drawn on top.
        curves: Curves of the trials by number.
        metric: Name of the metric, such as "loss".
        monitor: Metric that trials are compared by, shown in tooltips.
        colours: Colours of the trials by number.
    """
    found = {row.number: _points(curves[row.number], metric) for row in rows if row.number in curves}
    log = metric == "loss"
    every = [point for points in found.values() for point in points if point[1] > 0 or not log]
    if not every:
        return ""
    x = Axis.around([x for x, _ in every], LEFT, WIDTH - 16)
    y = Axis.around([y for _, y in every], HEIGHT - BOTTOM, TOP, log)
    title = f"val/{metric} of {len(found)} trials"
    shown = [*labels(title, "epoch", f"val/{metric}", x, y), *grid(x, y)]
    for row in reversed(rows):
        places = [(x.pixel(a), y.pixel(b)) for a, b in found.get(row.number, []) if b > 0 or not log]
        shown += [_line(places, colours[row.number], trial_tooltip(row, monitor))] if places else []
    return drawing(title, WIDTH, HEIGHT, shown)


def _points(curves: Curves, metric: str) -> list[tuple[float, float]]:
    values = curves.of_val(metric)
    known = np.isfinite(values)
    return list(zip(curves.epochs[known].tolist(), values[known].tolist(), strict=True))


def _line(places: Sequence[tuple[float, float]], colour: str, name: str) -> str:
    width = 2.6 if colour == BEST else 1.3
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    dots = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in places[:: max(1, len(places) - 1)]
    )
    return (
        f'<g stroke="{colour}" fill="{colour}"><title>{html(name)}</title>'
        f'<polyline points="{points}" fill="none" stroke-width="{width}"/>{dots}</g>'
    )
