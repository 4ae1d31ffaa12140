"""Draw trials as parallel coordinates: one axis per parameter, one line per trial, coloured by result."""

from collections.abc import Mapping, Sequence

from imagelab.pages.axes import Axis, drawing, words_at
from imagelab.pages.wording import html, words
from imagelab.reports.sweep.rows import as_number
from imagelab.sweep.space import Interval, Range
from imagelab.sweep.trial import Row

HEIGHT, TOP, BOTTOM, SIDE = 420, 62, 40, 70  # pixels
BETWEEN = 150  # pixels between two axes
PALE = (205, 220, 235)
FULL = (0, 90, 160)
BEST = "#d55e00"
LONG = 14  # most letters of a name at an axis
NO_RESULT = HEIGHT - 16


def parallel(
    rows: Sequence[Row], ranges: Mapping[str, Range], monitor: str, colours: Mapping[int, str]
) -> str:
    """The text of an SVG file: one line per trial, the best one on top.

    Args:
        rows: Trials, the best first.
        ranges: Searched ranges, by key.
        monitor: Name of the result axis.
        colours: Colour of each trial by number.

    Raises:
        ValueError: If no trial has a result.
    """
    values = [row.value for row in rows if row.value is not None]
    axes = [_Scale(name, found, SIDE + i * BETWEEN) for i, (name, found) in enumerate(ranges.items())]
    last = Axis.around(values, HEIGHT - BOTTOM, TOP)
    right = SIDE + len(axes) * BETWEEN
    shown = [part for axis in axes for part in axis.drawn()]
    shown += _axis(monitor, right, [(last.pixel(v), last.written(v)) for v in last.ticks()])
    shown += [words_at("no result", right, NO_RESULT + 12, size=10)] if len(values) < len(rows) else []
    for row in reversed(rows):
        x_y = [(axis.x, axis.pixel(row.overrides[axis.name])) for axis in axes if axis.name in row.overrides]
        end = last.pixel(row.value) if row.value is not None else NO_RESULT
        shown.append(_line(row, [*x_y, (right, end)], monitor, colours[row.number]))
    return drawing(f"{len(rows)} trials", right + SIDE + 30, HEIGHT, shown)


def colours_of(rows: Sequence[Row]) -> dict[int, str]:
    """The colour of each trial by number: the better, the darker; the best one stands out."""
    with_result = [row.number for row in rows if row.value is not None]
    found = {row.number: "#aaaaaa" for row in rows}
    for place, number in enumerate(with_result):
        share = 1 - place / max(1, len(with_result) - 1)
        mixed = (round(a + share * (b - a)) for a, b in zip(PALE, FULL, strict=True))
        found[number] = "#" + "".join(f"{one:02x}" for one in mixed)
    return found | ({with_result[0]: BEST} if with_result else {})


def trial_tooltip(row: Row, monitor: str) -> str:
    """The tooltip of a trial."""
    values = ", ".join(f"{name}={value}" for name, value in row.overrides.items())
    result = f"{monitor} {words(row.value)}" if row.value is not None else row.status
    return f"trial {row.number}: {result}; {values}"


class _Scale:
    """The axis of a parameter: numeric for an interval (logarithmic if the search was), else its values."""

    def __init__(self, name: str, found: Range, x: float) -> None:
        self.name = name
        self.x = x
        self.axis = None
        if isinstance(found, Interval):
            self.axis = Axis(found.low, found.high, HEIGHT - BOTTOM, TOP, found.log)
            return
        numbers = [as_number(word) for word in found.words]
        ordered = list(found.words)
        if all(number is not None for number in numbers):
            ordered.sort(key=float)
        step = (HEIGHT - BOTTOM - TOP) / max(1, len(ordered) - 1)
        self.places = {word: HEIGHT - BOTTOM - i * step for i, word in enumerate(ordered)}

    def pixel(self, word: str) -> float:
        return self.axis.pixel(float(word)) if self.axis else self.places.get(word, NO_RESULT)

    def drawn(self) -> list[str]:
        ticks = (
            [(self.axis.pixel(value), self.axis.written(value)) for value in self.axis.ticks()]
            if self.axis
            else [(y, _cut(word)) for word, y in self.places.items()]
        )
        return _axis(f"{self.name}{' (log)' if self.axis and self.axis.log else ''}", self.x, ticks)


def _axis(name: str, x: float, ticks: Sequence[tuple[float, str]]) -> list[str]:
    group, _, key = name.rpartition(".")
    head = [words_at(key, x, TOP - 16), *([words_at(group, x, TOP - 32, size=10)] if group else [])]
    line = f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#333"/>'
    marks = [
        f'<path d="M{x - 4:.1f} {y:.1f}h4" stroke="#333"/>'
        f'<text x="{x - 7:.1f}" y="{y + 4:.1f}" font-size="10" text-anchor="end">{html(text)}</text>'
        for y, text in ticks
    ]
    return [*head, line, *marks]


def _line(row: Row, places: Sequence[tuple[float, float]], monitor: str, colour: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="5 4"' if row.value is None else ""
    width = 3 if colour == BEST else 1.6
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}>'
        f"<title>{html(trial_tooltip(row, monitor))}</title></polyline>"
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"
