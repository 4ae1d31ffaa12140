# room: detection
"""Read boxes from a CSV file: a line per box, with the columns file,label,left,top,right,bottom[,split].

The corners may also be called xmin,ymin,xmax,ymax or x1,y1,x2,y2. A line without a label is a picture without
boxes.
"""

import csv
from pathlib import Path

from imagelab.data.annotations import Annotated, Annotations, pictures_by_name, refuse_missing, regular
from imagelab.data.listing import SPLITS
from imagelab.problem import Problem
from imagelab.runs.csv_cells import restored

CORNERS = (("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
TABLES = ("boxes.csv", "annotations.csv", "_annotations.csv", "labels.csv")

Line = dict[str, str]


def box_table(root: Path) -> Path | None:
    """The table of boxes below root."""
    return next((file for name in TABLES for file in regular(root, name)), None)


def read_box_table(root: Path) -> Annotations:
    """Read all pictures of the table.

    Raises:
        Problem: There is no table, a column or a picture is missing, or a line is not understood.
    """
    table = box_table(root)
    if table is None:
        raise Problem(f"data.root={root} has none of {', '.join(TABLES)}")
    lines, corners = _lines(table)
    names = pictures_by_name(root)
    refuse_missing({line["file"] for _, line in lines if not names.get(line["file"])}, table)
    found: dict[str, Annotated] = {}
    for number, line in lines:
        split = line.get("split", "").lower()
        if split and split not in SPLITS:
            raise Problem(f"{table} line {number}: wants the split train, val or test, got {split!r}")
        one = found.setdefault(line["file"], Annotated(names[line["file"]], SPLITS.get(split, ""), []))
        if line["label"]:
            one.boxes.append((line["label"], *_corners(line, corners, table, number)))
    return Annotations([*found.values()], [])


def _lines(table: Path) -> tuple[list[tuple[int, Line]], tuple[str, ...]]:
    """The numbered lines of a table, and the names of its corners."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        columns = {(name or "").strip() for name in reader.fieldnames or []}
        corners = next((names for names in CORNERS if {*names} <= columns), ())
        if not corners or not {"file", "label"} <= columns:
            wanted = ",".join(("file", "label", *CORNERS[0]))
            raise Problem(f"{table} must have the columns {wanted}[,split], got {','.join(sorted(columns))}")
        return [
            (
                reader.line_num,
                {key.strip(): restored((cell or "").strip()) for key, cell in row.items() if key},
            )
            for row in reader
        ], corners


def _corners(
    line: Line, names: tuple[str, ...], table: Path, number: int
) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(line[name]) for name in names)
    except ValueError as error:
        cells = ",".join(line[name] for name in names)
        raise Problem(
            f"{table} line {number}: wants four numbers for {','.join(names)}, got {cells!r}"
        ) from error
    return left, top, right, bottom
