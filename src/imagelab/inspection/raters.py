"""Do two people give the same images the same labels? Where they do not, no network can be right for both.

Source: Cohen 1960, https://doi.org/10.1177/001316446002000104; how to read kappa: Landis & Koch 1977,
https://doi.org/10.2307/2529310, section 3.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from imagelab.config.schema import Node
from imagelab.evaluation.per_class import wilson
from imagelab.evaluation.person import labels_by
from imagelab.finding import Finding
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.pages.charts import matrix
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.table import table
from imagelab.problem import Problem, nearest, some_of
from imagelab.randomness import stream
from imagelab.runs.csv_cells import Writer

GOOD = 0.6  # kappa above which agreement is called substantial
DRAWS = 1000  # of the images, for the interval of kappa
SHOWN = 200  # images with a picture
TABLE = "disagreements.csv"


class Raters(NamedTuple):
    """Two people's labels of M images.

    Args:
        names: What the two are called.
        files: Names of the M images that both labelled.
        labels: The labels of each person, (2, M) str.
        alone: Number of images that only one of them labelled.
    """

    names: tuple[str, str]
    files: list[str]
    labels: np.ndarray
    alone: int


def raters_of(asked: str | list[str]) -> Raters:
    """Read a table with the columns file,label_a,label_b, or two tables with the columns file,label.

    Raises:
        Problem: They cannot be read, are not two, or have no image in common.
    """
    paths = [asked, asked] if isinstance(asked, str) else asked
    if len(paths) != 2:
        raise Problem(f"raters: wants a table with file,label_a,label_b, or two tables, got {len(paths)}")
    columns = ("label_a", "label_b") if isinstance(asked, str) else (None, None)
    said = [
        labels_by(Path(path).expanduser(), column, "raters")
        for path, column in zip(paths, columns, strict=True)
    ]
    files = [file for file in said[0] if file in said[1]]
    if not files:
        raise Problem(f"raters: no image has labels of both people in {' and '.join(dict.fromkeys(paths))}")
    names = columns if isinstance(asked, str) else paths
    labels = np.array([[one[file] for file in files] for one in said])
    return Raters((str(names[0]), str(names[1])), files, labels, len(said[0] | said[1]) - len(files))


def raters(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Compare two people's labels with each other and with those of the data.

    Raises:
        Problem: The tables name other images.
    """
    found = raters_of(cfg["raters"])
    place = {name: k for k, name in enumerate(seen.images.names.tolist())}
    if unknown := [file for file in found.files if file not in place]:
        raise Problem(
            f"raters: {len(unknown):,} of {len(found.files):,} images are not in the data: "
            f"{some_of(unknown, most=3)}{nearest(unknown[0], place)}"
        )
    given = np.array([seen.images.label(place[file]) for file in found.files])
    differ = np.flatnonzero(found.labels[0] != found.labels[1])
    _write(found, given, differ, folder / TABLE)
    findings = [_agreement(found, len(differ)), _kappa(found)]
    findings += [_accuracy(name, said, given) for name, said in zip(found.names, found.labels, strict=True)]
    return Answer(
        findings=findings,
        sections=[_section(seen, found, given, differ, place)],
        marks={"people disagree": [found.files[k] for k in differ]} if len(differ) else {},
    )


def kappa_interval(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The 95% interval of Cohen's kappa over draws of the images; (nan, nan) if it is undefined.

    Args:
        first: Labels by one person, (M,) str.
        second: Labels by the other.
    """
    counts = confusion_matrix(first, second).astype(float)
    drawn = stream(0, "kappa").multinomial(len(first), counts.ravel() / len(first), DRAWS)
    tables = drawn.reshape(DRAWS, *counts.shape) / len(first)
    agreed = np.trace(tables, axis1=1, axis2=2)
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    known = chance < 1
    values = (agreed[known] - chance[known]) / (1 - chance[known])
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)


def _agreement(found: Raters, differ: int) -> Finding:
    count = len(found.files)
    rest = f"; {found.alone:,} more have a label by one of them only" if found.alone else ""
    why = f"{differ:,} of {count:,} images have two different labels{rest}"
    return _share("agreement of two people", count - differ, count, why)


def _kappa(found: Raters) -> Finding:
    alike = len(np.unique(found.labels)) == 1
    value = float("nan") if alike else float(cohen_kappa_score(*found.labels))
    low, high = kappa_interval(*found.labels)
    poor = value < GOOD
    return Finding(
        name="Cohen's kappa",
        status="INFO" if alike else "WARN" if poor else "OK",
        value=None if alike else {"kappa": round(value, 4), "low": round(low, 4), "high": round(high, 4)},
        expected=f"{GOOD} or more; 0: no more than by chance, 1: always the same",
        why="both gave all images one label: kappa is undefined" if alike else "agreement beyond chance",
        fix="look at the disagreements: write down what each class means, then label them again"
        if poor
        else "",
    )


def _accuracy(name: str, said: np.ndarray, given: np.ndarray) -> Finding:
    right = int((said == given).sum())
    why = f"share of {len(given):,} images that have this label in the data, too"
    return _share(f"labels of {name}", right, len(given), why)


def _share(name: str, hits: int, total: int, why: str) -> Finding:
    low, high = wilson(hits, total)
    value = {"share": round(hits / total, 4), "low": round(low, 4), "high": round(high, 4), "images": total}
    return Finding(name=name, status="INFO", value=value, expected="", why=why, fix="")


def _rows(found: Raters, given: np.ndarray, differ: np.ndarray) -> list[list[Any]]:
    return [[found.files[k], *found.labels[:, k].tolist(), str(given[k])] for k in differ.tolist()]


def _write(found: Raters, given: np.ndarray, differ: np.ndarray, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = Writer(file)
        writer.writerow(["file", *found.names, "label"])
        writer.writerows(_rows(found, given, differ))


def _section(
    seen: Seen, found: Raters, given: np.ndarray, differ: np.ndarray, place: dict[str, int]
) -> Section:
    classes: Sequence[str] = np.unique(found.labels).tolist()
    counts = confusion_matrix(*found.labels, labels=classes)
    first, second = found.names
    rows = [[_picture(seen, place[row[0]]), *row] for row in _rows(found, given, differ)[:SHOWN]]
    drawn = matrix(counts, classes, title="Labels of two people", rows=first, columns=second)
    heads = ["image", "file", first, second, "label"]
    about = (
        f"Images that two people labelled differently, beside the label in the data; all are in `{TABLE}`."
    )
    shown = table(heads, rows, filters=[first, second, "label"], of=len(differ)) if rows else ""
    return Section("Two people", about, drawn + shown)


def _picture(seen: Seen, index: int) -> Picture | None:
    return Picture(seen.images.pixels(index, 96), "") if seen.readable[index] else None
