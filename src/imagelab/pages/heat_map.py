"""Draw a table of shares as SVG: a row of cells per name, darker for higher values."""

from collections.abc import Sequence
from html import escape

import numpy as np

SHADES = 20  # neighbours of one shade are drawn as one cell
COLUMNS = 120  # at most: of more, as many are drawn, evenly spread
LEFT, TOP, HEIGHT, BOTTOM = 150, 34, 14, 46  # pixels around the cells, and of a row
WIDTH = 560  # pixels of a row
LONGEST = 22  # letters of a name
COLOUR = "#0072b2"


def heat_map(
    values: np.ndarray, *, rows: Sequence[str], columns: Sequence[int], title: str, x_label: str
) -> str:
    """The text of an SVG file; the mouse shows the row's name and the cell's value.

    Args:
        values: (R, T), each in [0, 1]; R and T >= 1.
        rows: R names.
        columns: T numbers, ascending, such as steps.
        title: Title above the rows.
        x_label: Label of the columns.
    """
    shown = np.unique(np.linspace(0, len(columns) - 1, min(COLUMNS, len(columns))).round().astype(int))
    width = LEFT + WIDTH + 20
    height = TOP + HEIGHT * len(rows) + BOTTOM
    cells = [_row(values[row, shown], name, TOP + HEIGHT * row) for row, name in enumerate(rows)]
    ends = [(LEFT, columns[0]), (LEFT + WIDTH, columns[-1])]
    marks = [_text(f"{value:,}", x, height - BOTTOM + 18) for x, value in ends]
    words = [_text(title, LEFT + WIDTH / 2, 20), _text(x_label, LEFT + WIDTH / 2, height - 10)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="#333">\n'
        f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([head, *words, *marks, *cells, "</svg>", ""])


def _row(values: np.ndarray, name: str, top: float) -> str:
    shades = np.rint(values * SHADES).astype(int)
    starts = np.flatnonzero(np.diff(shades, prepend=-1))
    step = WIDTH / len(values)
    ends = [*starts[1:], len(values)]
    cells = [
        f'<rect x="{LEFT + step * start:.1f}" y="{top}" width="{step * (end - start):.1f}" '
        f'height="{HEIGHT - 1}" fill-opacity="{shades[start] / SHADES:g}">'
        f"<title>{escape(name)}: {values[start:end].mean():.2f}</title></rect>"
        for start, end in zip(starts, ends, strict=True)
    ]
    label = _text(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…", LEFT - 8, top + 11, "end")
    return f'{label}<g fill="{COLOUR}">{"".join(cells)}</g>'


def _text(words: str, x: float, y: float, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
