"""Make HTML tables that the page's script sorts, filters and searches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from imagelab.finding import STATUSES, Status
from imagelab.pages.picture import BUDGET, SIDE, Picture, figures
from imagelab.pages.wording import html, printable, prose, words

LONG = 24  # letters of a word above which it may be broken anywhere
FEW = 7  # rows up to which nobody needs a search


@dataclass(frozen=True)
class Badge:
    """A status, shown in its colour, sorted by urgency."""

    status: Status


@dataclass(frozen=True)
class Prose:
    """Sentences; text in backticks is code."""

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
        columns: Headers of the columns.
        rows: Cells of each row, one per column; texts are escaped.
        filters: Columns that get a drop-down with their values.
        of: Total number of rows, if only the first are given.
        side: Side of pictures, in pixels.
        budget: Bytes for all pictures together.

    Raises:
        ValueError: A column to filter by does not exist, or a row has too few or too many cells.
    """
    _refuse(columns, rows, filters)
    pictures = [cell for row in rows for cell in row if isinstance(cell, Picture)]
    shown = iter(figures(pictures, side=side, budget=budget))
    kinds = [_numbers([row[i] for row in rows]) for i in range(len(columns))]
    body = [
        f"<tr>{''.join(_cell(*both, shown) for both in zip(row, kinds, strict=True))}</tr>" for row in rows
    ]
    heads = [
        f'<th scope="col"{kind}><button type="button">{html(name)}</button></th>'
        for name, kind in zip(columns, kinds, strict=True)
    ]
    bar = _bar(columns, rows, filters) if len(rows) > FEW or filters else ""
    note = f", the first of {of:,}" if of is not None and of > len(rows) else ""
    count = f'<output data-note="{note}">{len(rows):,} {"row" if len(rows) == 1 else "rows"}{note}</output>'
    return (
        f'<div class="table"><div class="bar">{bar}{count}</div><div class="box"><table>'
        f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{chr(10).join(body)}\n</tbody></table></div></div>"
    )


def _refuse(columns: Sequence[str], rows: Sequence[Sequence[Cell]], filters: Sequence[str]) -> None:
    wrong = next((name for name in filters if name not in columns), None)
    if wrong is not None:
        raise ValueError(f"filters wants names of columns ({', '.join(columns)}), got {wrong}")
    uneven = next((row for row in rows if len(row) != len(columns)), None)
    if uneven is not None:
        raise ValueError(f"a table of {len(columns)} columns wants rows of as many cells, got {len(uneven)}")


def _bar(columns: Sequence[str], rows: Sequence[Sequence[Cell]], filters: Sequence[str]) -> str:
    boxes = ['<input type="search" placeholder="Search" aria-label="Search">']
    for name in filters:
        place = columns.index(name)
        values = {_plain(row[place]): row[place] for row in rows}
        ordered = sorted(filter(None, values), key=lambda value: _order(values[value], value))
        options = "".join(f"<option>{html(value)}</option>" for value in ordered)
        boxes.append(
            f'<label>{html(name)} <select data-column="{place}"><option value="" data-all>all</option>'
            f"{options}</select></label>"
        )
    return "".join(boxes)


def _numbers(cells: Sequence[Cell]) -> str:
    """The mark of a column of numbers, which are right-aligned."""
    there = [cell for cell in cells if cell is not None]
    return ' class="number"' if there and all(map(_is_number, there)) else ""


def _is_number(cell: Cell) -> TypeGuard[int | float]:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _order(cell: Cell, text: str) -> tuple[float, str]:
    """The sort key of a cell: numbers by size, statuses by urgency, then words."""
    if isinstance(cell, Badge):
        return STATUSES.index(cell.status), ""
    return (cell, "") if _is_number(cell) else (math.inf, text)


def _cell(cell: Cell, kind: str, pictures: Iterator[str]) -> str:
    if isinstance(cell, Picture):
        return f'<td class="picture">{next(pictures)}</td>'
    if isinstance(cell, Badge):
        status = html(cell.status)
        return f'<td data-v="{STATUSES.index(cell.status)}"><span class="badge {status}">{status}</span></td>'
    if isinstance(cell, Prose):
        return f'<td class="prose">{prose(cell.text)}</td>' if cell.text else "<td></td>"
    if _is_number(cell):
        exact = str(cell) if isinstance(cell, int) else f"{cell:.7g}".replace("inf", "Infinity")
        shown = words(cell)
        value = "" if exact == shown.replace(",", "") else f' data-v="{exact}"'
        return f"<td{kind}{value}>{shown}</td>"
    text = _plain(cell)
    long = ' class="long"' if max(map(len, text.split()), default=0) > LONG else ""
    return f"<td{long}>{html(text)}</td>"


def _plain(cell: Cell) -> str:
    if isinstance(cell, Badge):
        return cell.status
    if isinstance(cell, Picture | Prose):
        return printable(cell.caption if isinstance(cell, Picture) else cell.text)
    return "" if cell is None else words(cell, limit=1000)
