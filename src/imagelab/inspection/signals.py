"""What do the columns say that the network sees besides the image, and does one tell the label by itself?"""

from pathlib import Path

import numpy as np

from imagelab.config.rules.signals import columns_beside
from imagelab.config.schema import Node
from imagelab.data.labels import kind_of
from imagelab.data.signals import Column, cells_of, fit_columns, is_missing, number_of
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.pages.page import Section
from imagelab.pages.table import table
from imagelab.problem import Problem, some_of

TELLS = 0.9  # share of the labels' variance: a column that explains as much hardly leaves work for an image
RANGES, EACH = 20, 20  # ranges of a number at most, and images in each at least
NAMED = 5  # values in a sentence


def signal_columns(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Describe each column of `data.signals` by split, with how much of the labels it tells alone."""
    names, found = columns_beside(cfg), seen.images.walk
    if found is None or found.table is None:
        raise Problem("data.signals: needs a table with these columns; set data.manifest=TABLE")
    readable = np.flatnonzero(seen.readable)
    rows = cells_of(found.table, found.root, names)
    cells = np.array([rows[str(seen.images.path(place))] for place in readable.tolist()], dtype=np.str_)
    splits, labels = seen.images.splits[readable], seen.images.labels[readable]
    findings: list[Finding] = []
    lines: list[list[str | float]] = []
    for name, own in zip(names, cells.T, strict=True):
        try:
            (column,) = fit_columns([name], own[splits == "train"][:, None])
        except Problem as problem:
            findings.append(_finding(name, "FAIL", "", str(problem), "leave it out, or correct the table"))
            continue
        findings += [_known(column, own, splits), _alone(column, own, labels)]
        lines += [[name, split, *_numbers(column, own[splits == split])] for split in seen.images.parts]
    heads = ["column", "split", "images", "missing", "least", "median", "most"]
    about = "What the network sees besides the image, in the splits that training would use."
    return Answer(findings=findings, sections=[Section("Signals", about, table(heads, lines))])


def told_alone(column: Column, cells: np.ndarray, labels: np.ndarray) -> float:
    """The share of the labels' variance that a column explains on images it was not fitted on, up to 1.

    Each half of the images is predicted by the means of the other: by value, or by the range of a number.

    Args:
        column: What the column is (`data/signals.py`).
        cells: Its cells, (N,) str.
        labels: Labels of the images, as in `contracts.Images`.
    """
    targets = _targets(labels)
    groups = _groups(column, cells)
    halves = np.arange(len(cells)) // 2 % 2 == 0  # pairs: labels may take turns in a table
    left = right = 0.0
    for half in (halves, ~halves):
        mean = targets[half].mean(axis=0)
        means = np.tile(mean, (groups.max() + 1, 1))
        for group in np.unique(groups[half]).tolist():
            means[group] = targets[half & (groups == group)].mean(axis=0)
        left += float(np.square(targets[~half] - means[groups[~half]]).sum())
        right += float(np.square(targets[~half] - mean).sum())
    return 1 - left / right if right else 0.0


def _targets(labels: np.ndarray) -> np.ndarray:
    if kind_of(labels) == "class":
        return np.eye(int(labels.max()) + 1)[labels]
    return (labels - labels.mean(axis=0)) / np.maximum(labels.std(axis=0), 1e-12)


def _groups(column: Column, cells: np.ndarray) -> np.ndarray:
    """The value of each cell, or the range that its number is in, (N,) int64; 0: missing."""
    if "values" in column:
        return np.array(
            [column["values"].index(c) + 1 if c in column["values"] else 0 for c in cells.tolist()]
        )
    numbers = _number_array(cells)
    ranges = int(np.clip(len(cells) // EACH, 2, RANGES))
    edges = np.quantile(numbers[~np.isnan(numbers)], np.linspace(0, 1, ranges + 1)[1:-1])
    return np.where(np.isnan(numbers), 0, np.searchsorted(np.unique(edges), numbers, side="right") + 1)


def _number_array(cells: np.ndarray) -> np.ndarray:
    found = [None if is_missing(cell) else number_of(cell) for cell in cells.tolist()]
    return np.array([np.nan if one is None else one for one in found])


def _numbers(column: Column, cells: np.ndarray) -> list[str | float]:
    missing = sum(map(is_missing, cells.tolist()))
    known = _number_array(cells)
    known = known[~np.isnan(known)]
    if "values" in column or not len(known):
        return [len(cells), missing, "", "", ""]
    return [len(cells), missing, *(float(f"{one:.6g}") for one in np.quantile(known, [0, 0.5, 1]).tolist())]


def _known(column: Column, cells: np.ndarray, splits: np.ndarray) -> Finding:
    """Ranges or values, what is missing, and what only val or test have."""
    missing = np.array([is_missing(cell) for cell in cells.tolist()])
    if "values" in column:
        new = sorted({*cells[~missing].tolist()} - {*column["values"]})
        value = f"{len(column['values'])} values: {some_of(column['values'], NAMED)}"
        strange = f"{some_of(new, NAMED)} only outside train" if new else ""
    else:
        numbers = _number_array(cells)
        value = f"{np.nanmin(numbers):.6g} to {np.nanmax(numbers):.6g}, mean of train {column['mean']:.6g}"
        bad = [cell for cell in cells[~missing].tolist() if number_of(cell) is None]
        strange = f"{some_of(bad, NAMED)}: no numbers, as all are in train" if bad else ""
    gone = f"{missing.sum():,} of {len(cells):,} are missing" if missing.any() else ""
    fix = (
        "missing numbers count as the training mean, missing and new values as none"
        if gone or strange
        else ""
    )
    why = "; ".join(filter(None, [gone, strange]))
    return _finding(column["name"], grade(warn=strange, info=not strange), value, why, fix)


def _alone(column: Column, cells: np.ndarray, labels: np.ndarray) -> Finding:
    share = told_alone(column, cells, labels)
    tells = share >= TELLS
    return Finding(
        name=f"labels told by {column['name']} alone",
        status=grade(warn=tells),
        value=f"{max(0.0, share):.1%} of their variance",
        expected=f"below {TELLS:.0%}",
        why="the column hardly leaves anything to learn from the images" if tells else "",
        fix="leave it out if it follows from the label, or is not known of new images" if tells else "",
    )


def _finding(name: str, status: object, value: str, why: str, fix: str) -> Finding:
    return Finding(name=f"signal {name}", status=status, value=value, expected="", why=why, fix=fix)  # type: ignore[arg-type]
