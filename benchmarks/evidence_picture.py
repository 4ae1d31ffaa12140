"""Draw the effects of tricks with their intervals, one row per claim, grouped by regime."""

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

from imagelab.pages.axes import Axis, drawing
from imagelab.pages.wording import html

ROW, LEFT, WIDTH = 16, 250, 860
MOST = 40.0  # points; longer intervals end at the edge
COLOURS = {"held": "#009e73", "did not hold": "#d55e00"}


class Shown(Protocol):
    """What a row shows."""

    claim: "Named"
    mean: float
    half: float
    verdict: str


class Named(Protocol):
    """The claim of a row."""

    name: str
    regime: str


def picture(found: Sequence[Shown]) -> str:
    """An SVG file: a dot and an interval per claim, coloured by its verdict."""
    groups = [(regime, list(rows)) for regime, rows in groupby(found, lambda one: one.claim.regime)]
    height = 80 + ROW * sum(len(rows) + 2 for _, rows in groups)
    x = Axis(-MOST, MOST, LEFT, WIDTH - 20, log=False)
    shown = [
        f'<path d="M{x.pixel(tick):.1f} 48V{height - 20}" stroke="{"#333" if tick == 0 else "#ddd"}"/>'
        f'<text x="{x.pixel(tick):.1f}" y="42" text-anchor="middle">{tick:+g}</text>'
        for tick in x.ticks()
    ]
    top = 64
    for regime, rows in groups:
        shown.append(f'<text x="8" y="{top + 4}" font-weight="bold">{html(regime.replace("_", " "))}</text>')
        for row in rows:
            top += ROW
            shown += _row(row, x, top)
        top += 2 * ROW
    key = " · ".join(f'<tspan fill="{colour}">{name}</tspan>' for name, colour in COLOURS.items())
    what = "points of test accuracy with the trick, minus without it, and 95% intervals"
    shown.append(f'<text x="8" y="20">{what}: {key} · not resolved</text>')
    return drawing("What each trick brings, with 95% intervals, by regime", WIDTH, height, shown)


def _row(row: Shown, x: Axis, y: float) -> list[str]:
    colour = COLOURS.get(row.verdict, "#888")
    low, here, high = (
        x.pixel(max(-MOST, min(MOST, value)))
        for value in (row.mean - row.half, row.mean, row.mean + row.half)
    )
    return [
        f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{html(row.claim.name)}</text>',
        f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{here:.1f}" cy="{y}" r="4" fill="{colour}"><title>'
        f"{row.mean:+.1f} ± {row.half:.1f}, {row.verdict}</title></circle>",
    ]
