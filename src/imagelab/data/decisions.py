"""What a person decided about single images: keep them, drop them, or give them another label."""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagelab.data.named import Named, folder_of
from imagelab.problem import Problem, nearest, some_of

KEEP, DROP, RELABEL = "keep", "drop", "relabel"
DECISIONS = (KEEP, DROP, RELABEL)
COLUMNS = ("file", "decision", "label")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One line of a table; `line` counts from 1, the header. label: the new class, or empty."""

    line: int
    file: str
    decision: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What became of a split.

    dropped, relabelled, kept: Images that a decision names.
    """

    dropped: int
    relabelled: int
    kept: int


def decide(
    splits: Mapping[str, Named], table: str, classes: list[str]
) -> tuple[dict[str, Named], dict[str, Decided]]:
    """The splits without the dropped images and with the new labels, and what became of each split.

    Args:
        splits: Of the data set, whichever of them an image lies in.
        table: A CSV file with the columns file,decision[,label]. A file is named as `inspect` does: relative
            to the folder of all images, or by split and place; or by its path.
        classes: Names, in the order of the labels.

    Raises:
        Problem: The table cannot be read, or says what cannot be done.
    """
    path = Path(table).expanduser()
    decisions = read_decisions(path, classes)
    where = _found(splits, decisions, path)
    out: dict[str, Named] = {}
    told: dict[str, Decided] = {}
    for split, images in splits.items():
        mine = {place: one for (name, place), one in where.items() if name == split}
        labels, stays = images.labels.copy(), np.ones(len(images), dtype=bool)
        for place, one in mine.items():
            stays[place] = one.decision != DROP
            labels[place] = classes.index(one.label) if one.decision == RELABEL else labels[place]
        changed = int((labels != images.labels).sum())
        out[split] = images.relabel(labels).select(np.flatnonzero(stays)) if mine else images
        dropped = int((~stays).sum())
        told[split] = Decided(dropped=dropped, relabelled=changed, kept=len(mine) - dropped - changed)
    return out, told


def read_decisions(path: Path, classes: list[str]) -> list[Decision]:
    """The lines of a table of decisions.

    Raises:
        Problem: A column is missing, or a line is not understood.
    """
    found = _rows(path)
    for one in found:
        where = f"data.decisions: {path} line {one.line}"
        if one.decision not in DECISIONS:
            hint = nearest(one.decision, DECISIONS)
            raise Problem(f"{where}: the decision {one.decision!r} is none of {', '.join(DECISIONS)}{hint}")
        if one.decision == RELABEL and one.label not in classes:
            hint = nearest(one.label, classes)
            raise Problem(f"{where}: there is no class {one.label!r} among {some_of(classes)}{hint}")
    return found


def wording(told: Mapping[str, Decided]) -> str:
    """What became of the splits, in a few words."""
    parts = [
        f"{split}: {one.dropped:,} dropped, {one.relabelled:,} relabelled, {one.kept:,} kept"
        for split, one in told.items()
        if one.dropped + one.relabelled + one.kept
    ]
    return "; ".join(parts) or "no image is named"


def _rows(path: Path) -> list[Decision]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [(name or "").strip() for name in reader.fieldnames or []]
            if not {"file", "decision"} <= set(columns):
                raise Problem(
                    f"data.decisions: {path} has the columns {','.join(columns) or '(none)'}: expected "
                    "file,decision[,label], as the decisions.csv of `imagelab inspect labels=true`"
                )
            reader.fieldnames = columns
            return [_row(reader.line_num, cells) for cells in reader]
    except (OSError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Problem(f"data.decisions: {path} cannot be read ({why}): expected a CSV file") from error


def _row(line: int, cells: dict[str, str | None]) -> Decision:
    file, decision, label = ((cells.get(name) or "").strip() for name in COLUMNS)
    return Decision(line=line, file=file, decision=decision.lower(), label=label)


def _found(
    splits: Mapping[str, Named], decisions: list[Decision], table: Path
) -> dict[tuple[str, int], Decision]:
    """Split and place of each image that a decision names."""
    known = {
        name: (split, place) for split, images in splits.items() for place, name in enumerate(images.names)
    }
    source = next(iter(splits.values())).source
    above = folder_of(source)
    found: dict[tuple[str, int], Decision] = {}
    for one in decisions:
        place = next((known[name] for name in _ways(one.file, above, table) if name in known), None)
        where = f"data.decisions: {table} line {one.line}"
        if place is None:
            if one.decision == DROP and _on_disk(one.file, above):
                continue  # one that cannot be read, which data.on_bad_image=skip has left out
            raise Problem(f"{where}: there is no image {one.file!r} in the data{nearest(one.file, known)}")
        if place in found:
            raise Problem(
                f"{where}: {one.file} is decided on line {found[place].line} already; keep one of them"
            )
        found[place] = one
    return found


def _ways(file: str, above: str, table: Path) -> list[str]:
    """The names that a file may go by: as written, or its path from here, the table or above the images."""
    folders = [Path.cwd(), table.absolute().parent, *Path(above).parents[:2]]
    paths = [os.path.abspath(Path(folder, file)) for folder in folders]  # noqa: PTH100
    as_written = [file, os.path.normpath(file), file.replace("\\", "/")]
    return [*as_written, *(path.removeprefix(above).replace(os.sep, "/") for path in paths)]


def _on_disk(file: str, above: str) -> bool:
    return bool(above) and Path(above, file).is_file()
