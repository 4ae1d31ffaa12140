"""Apply a person's decisions about single images: keep, drop, or relabel."""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagelab.data.labels import refuse_all_but_classes
from imagelab.data.named import Named, folder_of
from imagelab.problem import Problem, nearest, some_of
from imagelab.runs.csv_cells import restored

KEEP, DROP, RELABEL = "keep", "drop", "relabel"
DECISIONS = (KEEP, DROP, RELABEL)
COLUMNS = ("file", "decision", "label")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One line of a table. line: Its number, the header being 1. label: The new class, or empty."""

    line: int
    file: str
    decision: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Numbers of images of a split that decisions dropped, relabelled and kept."""

    dropped: int
    relabelled: int
    kept: int


def apply_decisions(
    splits: Mapping[str, Named], table: str, classes: list[str]
) -> tuple[dict[str, Named], dict[str, Decided]]:
    """Drop and relabel images; returns the new splits and the number of changes in each.

    Args:
        splits: Splits of the data set; an image may lie in any of them.
        table: A CSV file with the columns file,decision[,label]. A file is named relative to the common
            folder of all images, as split/place, or by its path.
        classes: Class names, in the order of the labels.

    Raises:
        Problem: The table cannot be read, or a decision cannot be applied.
    """
    path = Path(table).expanduser()
    decisions = read_decisions(path, classes)
    where = _locate(splits, decisions, path)
    out: dict[str, Named] = {}
    decided: dict[str, Decided] = {}
    for split, images in splits.items():
        mine = {place: one for (name, place), one in where.items() if name == split}
        labels = images.labels.copy()
        stays = np.ones(len(images), dtype=bool)
        for place, one in mine.items():
            stays[place] = one.decision != DROP
            if one.decision == RELABEL:
                refuse_all_but_classes(labels, f"data.decisions: {path} line {one.line}: {RELABEL}")
                labels[place] = classes.index(one.label)
        changed = int((labels != images.labels).sum())
        out[split] = images.relabel(labels).select(np.flatnonzero(stays)) if mine else images
        dropped = int((~stays).sum())
        decided[split] = Decided(dropped=dropped, relabelled=changed, kept=len(mine) - dropped - changed)
    return out, decided


def read_decisions(path: Path, classes: list[str]) -> list[Decision]:
    """Read the lines of a table of decisions.

    Raises:
        Problem: A column is missing, or a line is not understood.
    """
    found = _rows(path)
    for one in found:
        where = f"data.decisions: {path} line {one.line}"
        if one.decision not in DECISIONS:
            hint = nearest(one.decision, DECISIONS)
            raise Problem(f"{where}: wants one of {', '.join(DECISIONS)}, got {one.decision!r}{hint}")
        if one.decision == RELABEL and one.label not in classes:
            hint = nearest(one.label, classes)
            raise Problem(f"{where}: there is no class {one.label!r} among {some_of(classes)}{hint}")
    return found


def summarise(decided: Mapping[str, Decided]) -> str:
    """The number of decisions per split, in words."""
    parts = [
        f"{split}: {one.dropped:,} dropped, {one.relabelled:,} relabelled, {one.kept:,} kept"
        for split, one in decided.items()
        if one.dropped + one.relabelled + one.kept
    ]
    return "; ".join(parts) or "no decisions"


def _rows(path: Path) -> list[Decision]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [(name or "").strip() for name in reader.fieldnames or []]
            if not {"file", "decision"} <= set(columns):
                raise Problem(
                    f"data.decisions: {path} must have the columns file,decision[,label], got "
                    f"{','.join(columns) or '(none)'}"
                    "; `imagelab inspect labels=true` writes an example"  # room: inspection
                )
            reader.fieldnames = columns
            return [_row(reader.line_num, cells) for cells in reader]
    except (OSError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Problem(f"data.decisions: {path} cannot be read ({why}): expected a CSV file") from error


def _row(line: int, cells: dict[str, str | None]) -> Decision:
    file, decision, label = (restored((cells.get(name) or "").strip()) for name in COLUMNS)
    return Decision(line=line, file=file, decision=decision.lower(), label=label)


def _locate(
    splits: Mapping[str, Named], decisions: list[Decision], table: Path
) -> dict[tuple[str, int], Decision]:
    """Find the split and place of each image that a decision names."""
    known = {
        name: (split, place) for split, images in splits.items() for place, name in enumerate(images.names)
    }
    source = next(iter(splits.values())).source
    above = folder_of(source)
    found: dict[tuple[str, int], Decision] = {}
    for one in decisions:
        place = next((known[name] for name in _spellings(one.file, above, table) if name in known), None)
        where = f"data.decisions: {table} line {one.line}"
        if place is None:
            if one.decision == DROP and _on_disk(one.file, above):
                continue  # an unreadable file that data.on_bad_image=skip has already left out
            raise Problem(f"{where}: there is no image {one.file!r} in the data{nearest(one.file, known)}")
        if place in found:
            raise Problem(
                f"{where}: {one.file} already has a decision on line {found[place].line}; keep one of them"
            )
        found[place] = one
    return found


def _spellings(file: str, above: str, table: Path) -> list[str]:
    """Possible names of a file: as written, or as a path from here, the table, or above the images."""
    folders = [Path.cwd(), table.absolute().parent, *Path(above).parents[:2]]
    paths = [os.path.abspath(Path(folder, file)) for folder in folders]  # noqa: PTH100
    as_written = [file, os.path.normpath(file), file.replace("\\", "/")]
    return [*as_written, *(path.removeprefix(above).replace(os.sep, "/") for path in paths)]


def _on_disk(file: str, above: str) -> bool:
    return bool(above) and Path(above, file).is_file()
