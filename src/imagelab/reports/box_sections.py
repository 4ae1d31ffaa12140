# room: detection
"""Make the sections of a report on boxes: curves by class, sizes, kinds of errors, the worst images."""

import numpy as np

from imagelab.box_labels import CLASS, CORNERS, SCALE, SCORE
from imagelab.data.files import Files
from imagelab.data.memory import read_sizes
from imagelab.evaluation.predictions import Predictions
from imagelab.metrics.box_curves import BoxCurve
from imagelab.metrics.box_errors import (
    BACKGROUND,
    BOTH,
    DUPLICATE,
    LOCALISATION,
    MISSED,
    OTHER_CLASS,
    RIGHT,
    BoxErrors,
)
from imagelab.metrics.boxes import SIZES
from imagelab.pages.box_picture import GOOD, TRUE, WRONG, DrawnBox, with_boxes
from imagelab.pages.charts import bars
from imagelab.pages.line_plot import Points, line_plot
from imagelab.pages.page import Section, row
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.table import table

DRAWN = 7  # classes: the colours that can be told apart
SHOWN_IMAGES = 24
SIDE = 224  # pixels of a picture
SIZE = (520, 400)  # pixels of a chart
MEANINGS = {
    LOCALISATION: "right class, IoU 0.1 to 0.5 with its object",
    OTHER_CLASS: "IoU of 0.5 or more with an object of another class",
    BOTH: "IoU 0.1 to 0.5 with an object of another class",
    DUPLICATE: "on an object that a more confident box has found",
    BACKGROUND: "IoU of at most 0.1 with every object",
    MISSED: "object that no box found, not even nearly or with another class",
}


def curve_section(curves: list[BoxCurve], aps: dict[int, float], classes: list[str]) -> Section:
    """The section on precision and recall of each class, the weakest first.

    Args:
        curves: Curves of the classes with a true box.
        aps: Mean AP of these classes over IoU 0.5 to 0.95.
        classes: Names of all classes.
    """
    weakest = sorted(curves, key=lambda curve: curve.ap)
    lines: dict[str, Points] = {
        classes[one.label]: ([0.0, *one.recall.tolist()], [*one.precision[:1].tolist(), *one.precision])
        for one in weakest[:DRAWN]
        if len(one.scores)
    }
    width, height = SIZE
    plot = (
        line_plot(
            lines,
            title="Precision and recall at IoU 0.5",
            x_label="recall",
            y_label="precision",
            y_limits=(0.0, 1.0),
            width=width,
            height=height,
        )
        if lines
        else ""
    )
    rows = [
        (classes[one.label], one.boxes, one.ap, aps.get(one.label), float(one.recall[-1]))
        if len(one.scores)
        else (classes[one.label], one.boxes, one.ap, aps.get(one.label), 0.0)
        for one in weakest
    ]
    about = "Weakest class first. Each point of a line counts the boxes above one score."
    about += f" The {DRAWN} weakest are drawn." if len(curves) > DRAWN else ""
    listed = table(("class", "boxes", "AP50", "AP", "recall of all detections"), rows)
    return Section("Precision and recall", about, row(plot, listed))


def size_section(errors: BoxErrors, metrics: dict[str, float], *, least: float) -> Section:
    """The section on small, medium and large objects.

    Args:
        errors: Matched boxes.
        metrics: Metrics of the split by name.
        least: Score from which detections count as found.
    """
    sides = errors.true_rows[:, 3:5] - errors.true_rows[:, 1:3]
    areas = sides.prod(axis=1) * errors.true_rows[:, SCALE] ** 2
    sure = np.zeros(len(areas), dtype=bool)
    sure[errors.meant[(errors.kinds == RIGHT) & (errors.rows[:, SCORE] >= least)]] = True
    rows = []
    for name, (low, high) in SIZES.items():
        mine = (areas >= low) & (areas < high)
        if mine.any():
            rows.append((name, int(mine.sum()), metrics.get(f"ap_{name}"), float(sure[mine].mean())))
    heights = {name: {"AP": ap} for name, _, ap, _ in rows if ap is not None}
    width, height = SIZE
    chart = bars(heights, title="AP by size", y_label="AP", width=width, height=height) if heights else ""
    about = "By the area in the original picture: small below 32² pixels, large from 96² on. Small objects "
    about += f"ask for a larger `data.size` and finer `model.levels`. Found: with a score of {least:.2g}."
    return Section("Sizes", about, row(chart, table(("size", "boxes", "AP", "share found"), rows)))


def error_section(counts: dict[str, int], sure: dict[str, int], lost: dict[str, float]) -> Section:
    """The section on the kinds of errors.

    Args:
        counts: Errors of each kind, of all detections.
        sure: The same of detections above the score with the highest F1.
        lost: What each kind costs of AP50.
    """
    width, height = SIZE
    bar = bars(
        {kind: {"AP50 lost": max(0.0, value)} for kind, value in lost.items()},
        title="What each kind of error costs",
        y_label="AP50 lost",
        width=width,
        height=height,
    )
    rows = [(kind, MEANINGS[kind], counts[kind], sure[kind], lost[kind]) for kind in lost]
    columns = ("kind", "meaning", "count", "count above the score", "AP50 lost")
    about = (
        "Kinds of errors by TIDE (Bolya et al. 2020). AP50 lost: how much higher AP50 would be if only these "
        "were fixed; a confident error costs more than many others. The score is the one with the highest F1."
    )
    return Section("Kinds of errors", about, row(bar, table(columns, rows)))


def worst_section(found: Predictions, errors: BoxErrors, *, least: float) -> Section:
    """The section with the images that are farthest off: with true boxes, and detections from a score on."""
    about = (
        f"True boxes are green, right ones blue, errors red with their class and score; from a score of "
        f"{least:.2g} on, which has the highest F1. Sorted by the sum of the scores of all errors and the "
        "number of objects not found: the first place to look for boxes that are missing in the data."
    )
    pictures, rows = [], []
    for place in np.argsort(-ranking(found, errors), kind="stable")[:SHOWN_IMAGES].tolist():
        counts = _counts(errors, place, least)
        rows.append((found.name(place), *counts.values()))
        if (pixels := found.pixels(place, SIDE)) is not None:
            drawn = with_boxes(pixels, _drawn(found, errors, place, least, pixels.shape[1]), side=SIDE)
            said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
            pictures.append(Picture(drawn, f"{found.name(place)}: {said or 'nothing'}"))
    listed = table(("image", "right", "wrong", "not found"), rows)
    return Section("Worst images", about, (gallery(pictures, side=SIDE) if pictures else "") + listed)


def ranking(found: Predictions, errors: BoxErrors) -> np.ndarray:
    """How far off each of N images is, (N,): scores of its errors, and its true boxes that were not found."""
    wrong = errors.kinds != RIGHT
    count = len(found.labels)
    sums = np.bincount(errors.images[wrong], errors.rows[wrong, SCORE], minlength=count)
    return sums + np.bincount(errors.true_images[~errors.found], minlength=count)


def _counts(errors: BoxErrors, place: int, least: float) -> dict[str, int]:
    mine = (errors.images == place) & (errors.rows[:, SCORE] >= least)
    right = int((errors.kinds[mine] == RIGHT).sum())
    true = int((errors.true_images == place).sum())
    return {"right": right, "wrong": int(mine.sum()) - right, "not found": true - right}


def _drawn(found: Predictions, errors: BoxErrors, place: int, least: float, width: int) -> list[DrawnBox]:
    """The boxes to draw on a picture of this width in pixels."""
    factor = pixels_per_row(found, place, width)
    true = errors.true_rows[errors.true_images == place]
    mine = (errors.images == place) & (errors.rows[:, SCORE] >= least)
    boxes = [DrawnBox(_corners(one, factor), "", TRUE) for one in true]
    for one, kind in zip(errors.rows[mine], errors.kinds[mine], strict=True):
        right = kind == RIGHT
        words = "" if right else f"{found.classes[int(one[CLASS])]} {one[SCORE]:.2f}"
        boxes.append(DrawnBox(_corners(one, factor), words, GOOD if right else WRONG))
    return boxes


def pixels_per_row(found: Predictions, place: int, width: int) -> float:
    """How many pixels of a picture of this width are a pixel of the rows of its boxes."""
    scale = float(found.labels[place, 0, SCALE])
    return scale * width / read_sizes(found.images)[place, 0] if isinstance(found.images, Files) else scale


def _corners(one: np.ndarray, factor: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (one[CORNERS] * factor).tolist()
    return left, top, right, bottom
