"""Draw a matrix of counts as SVG, such as a confusion matrix: darker for a larger share of the row."""

from collections.abc import Sequence

import numpy as np

from imagelab.pages.axes import COLOURS, LETTER, drawing, words_at
from imagelab.pages.wording import html, printable, words

SIDE = 620  # pixels of the longest matrix
CELL = 46  # pixels of a cell, where there is room
WRITTEN = 20  # classes up to which each value is written into its cell
MANY = 2000  # cells that are drawn, the largest first
LONGEST = 18  # letters of a label


def matrix(
    values: np.ndarray,
    labels: Sequence[str],
    *,
    title: str,
    rows: str = "true",
    columns: str = "predicted",
) -> str:
    """Draw cells as dark as their share of the row; the mouse shows value and share.

    Args:
        values: (N, N), >= 0.
        labels: Names of the N rows, and of the columns.
        title: Title above the matrix.
        rows: Meaning of a row.
        columns: Meaning of a column.
    """
    counts = np.asarray(values, dtype=float)
    cell = min(CELL, SIDE / max(1, len(labels)))
    short = [words(printable(label), LONGEST) for label in labels]
    room = 32 + (LETTER * max(map(len, short), default=0) if cell >= 9 else 20)
    left, top, side = room, 34 + room, cell * len(labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    order = np.argsort(-counts, axis=None, kind="stable")[:MANY]
    drawn = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, counts.shape), strict=True)]
    boxes = [
        _cell(left + cell * j, top + cell * i, cell, counts[i, j], shares[i, j], len(labels) <= WRITTEN)
        + f"<title>{rows} {html(labels[i])}, {columns} {html(labels[j])}: {words(float(counts[i, j]))} "
        f"({shares[i, j]:.1%})</title></g>"
        for i, j in drawn
        if counts[i, j] > 0
    ]
    written = _labels(short, left, top, cell) if cell >= 9 else []
    middle = left + side / 2
    frame = f'<path d="M{left:.1f} {top:.1f}h{side:.1f}v{side:.1f}h-{side:.1f}z" fill="none" stroke="#333"/>'
    heads = [words_at(title, max(middle, LETTER * 0.6 * len(title)), 20, size=14)]
    heads += [words_at(columns, middle, 40), words_at(rows, 14, top + side / 2, turned=True)]
    width = max(left + side + 16, LETTER * 1.2 * len(title))
    return drawing(title, width, top + side + 16, [*heads, *written, *boxes, frame])


def _cell(x: float, y: float, side: float, value: float, share: float, written: bool) -> str:
    box = (
        f'<g><rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'fill="{COLOURS[0]}" fill-opacity="{0.06 + 0.94 * share:.2f}"/>'
    )
    if not written:
        return box
    ink = ' fill="#fff"' if share > 0.45 else ""
    return (
        f'{box}<text x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" text-anchor="middle"{ink}>'
        f"{words(value)}</text>"
    )


def _labels(labels: Sequence[str], left: float, top: float, cell: float) -> list[str]:
    size = min(12.0, cell)
    return [
        f'<g font-size="{size:.1f}"><text x="{left - 6:.1f}" y="{top + cell * (i + 0.5) + 4:.1f}" '
        f'text-anchor="end">{html(label)}</text>'
        f'<text transform="translate({left + cell * (i + 0.5) + 4:.1f} {top - 6:.1f}) rotate(-90)">'
        f"{html(label)}</text></g>"
        for i, label in enumerate(labels)
    ]
