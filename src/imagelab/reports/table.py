"""Tables as HTML that the page's script sorts, filters and searches."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagelab.record import STATUSES, Status
from imagelab.reports.picture import BUDGET, SIDE, Picture, figures
from imagelab.reports.wording import html, printable, prose, words

FEW = 7  # rows up to which nobody needs a search


@dataclass(frozen=True)
class Badge:
    """A status, shown in its colour, sorted by urgency."""

    status: Status


@dataclass(frozen=True)
class Prose:
    """Sentences, in which what stands in backticks is code."""

    text: str


Cell = str | int | float | None | Picture | Badge | Prose


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    filters: Sequence[str] = (),
    of: int | None = None,
    side: int = SIDE,
    budget: int = BUDGET,
) -> str:
    """A table that a click on a header sorts; long ones have a search box.

    Args:
        columns: The headers.
        rows: The cells of each row, as many as columns; texts are escaped.
        filters: The columns that get a drop-down with their values.
        of: How many rows there are in all, where only the first are given.
        side: Of pictures, in pixels.
        budget: Bytes for all pictures together.

    Raises:
        ValueError: A column to filter by does not exist, or a row has too few or too many cells.
    """
    wrong = [name for name in filters if name not in columns]
    if wrong:
        raise ValueError(f"filters wants names of columns ({', '.join(columns)}), got {wrong[0]}")
    pictures = [cell for row in rows for cell in row if isinstance(cell, Picture)]
    shown = iter(figures(pictures, side=side, budget=budget))
    body = [
        f"<tr>{''.join(_cell(cell, shown) for _, cell in zip(columns, row, strict=True))}</tr>"
        for row in rows
    ]
    heads = "".join(f'<th scope="col"><button type="button">{html(name)}</button></th>' for name in columns)
    bar = _bar(columns, rows, filters) if len(rows) > FEW or filters else ""
    note = f" of {of:,} in all" if of is not None and of > len(rows) else ""
    count = f'<output data-note="{note}">{len(rows):,} {"row" if len(rows) == 1 else "rows"}{note}</output>'
    return (
        f'<div class="table"><div class="bar">{bar}{count}</div><div class="box"><table>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{chr(10).join(body)}\n</tbody></table></div></div>"
    )


def _bar(columns: Sequence[str], rows: Sequence[Sequence[Cell]], filters: Sequence[str]) -> str:
    boxes = ['<input type="search" placeholder="Search" aria-label="Search">']
    for name in filters:
        place = columns.index(name)
        values = dict.fromkeys(_plain(row[place]) for row in rows)
        options = "".join(f"<option>{html(value)}</option>" for value in sorted(values))
        boxes.append(
            f'<label>{html(name)} <select data-column="{place}"><option value="" data-all>all</option>'
            f"{options}</select></label>"
        )
    return "".join(boxes)


def _cell(cell: Cell, pictures: Iterable[str]) -> str:
    if isinstance(cell, Picture):
        return f'<td class="picture">{next(iter(pictures))}</td>'
    if isinstance(cell, Badge):
        status = html(cell.status)
        return f'<td data-v="{STATUSES.index(cell.status)}"><span class="badge {status}">{status}</span></td>'
    if isinstance(cell, Prose):
        return f"<td>{prose(cell.text)}</td>"
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        exact = "" if isinstance(cell, float) and math.isnan(cell) else f"{cell:.9g}"
        shown = words(cell)
        return f'<td class="number"{f" data-v={exact}" if exact != shown else ""}>{shown}</td>'
    return f"<td>{html(_plain(cell))}</td>"


def _plain(cell: Cell) -> str:
    if isinstance(cell, Badge):
        return cell.status
    if isinstance(cell, Picture | Prose):
        return printable(cell.caption if isinstance(cell, Picture) else cell.text)
    return "" if cell is None else words(cell, limit=1000)
