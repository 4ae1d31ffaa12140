# room: detection
"""Report on images whose boxes are predicted: AP, the kinds of errors, and the worst images."""

import io

import numpy as np
import torch

from imagelab.box_labels import CLASS, CORNERS, SCALE, SCORE
from imagelab.evaluation.predictions import Predictions
from imagelab.finding import Finding, grade
from imagelab.metrics.box_curves import BoxCurve, best_score, box_curves, costs
from imagelab.metrics.box_errors import (
    BACKGROUND,
    BOTH,
    DUPLICATE,
    LOCALISATION,
    MISSED,
    OTHER_CLASS,
    BoxErrors,
    box_errors,
)
from imagelab.metrics.boxes import ap_per_class, box_metrics
from imagelab.reports.box_sections import (
    curve_section,
    error_section,
    ranking,
    size_section,
    worst_section,
)
from imagelab.reports.image_parts import Figure, ImageParts
from imagelab.runs.csv_cells import Writer

NOTHING = 0.01  # AP50 below which the network finds next to nothing
TRAIN = (
    "Train longer"
    "; check boxes and rate with `imagelab check`"  # room: checks
    "."
)
MATTERS = 0.02  # AP50 that a kind of error has to cost before there is something to do about it
COLUMNS = ("file", "label", "score", "left", "top", "right", "bottom", "kind", "overlap")
HELP = {
    LOCALISATION: "Train longer, use finer `model.levels`, or refine each box with `model=faster_rcnn`.",
    OTHER_CLASS: "Look at the worst images: classes that look alike need more images, or are mislabelled.",
    BOTH: "Train longer, and look at the worst images for classes that look alike.",
    DUPLICATE: "Lower `model.overlap`, so that boxes on one object are merged sooner.",
    BACKGROUND: "Look at the worst images for objects without a box; add images without objects.",
    MISSED: "Objects may be too small for the network: raise `data.size` or use finer `model.levels`; vary "
    "their sizes with `augment=[scale_jitter]`.",
}


def of_boxes(found: Predictions) -> ImageParts:
    """The parts of a report on the images of a split, at least two; each has any number of boxes."""
    rows = torch.from_numpy(found.predictions)
    labels = torch.from_numpy(found.labels)
    errors = box_errors(found.predictions, found.labels)
    if not len(errors.true_rows):
        return ImageParts(findings=[_no_boxes(found)], sections=[], figures=[], table="")
    metrics = {name: float(value) for name, value in box_metrics(rows, labels).items()}
    curves, lost = box_curves(errors), costs(errors)
    least, _ = best_score(errors)
    sure = errors.counts(least)
    return ImageParts(
        findings=[
            ap_finding(found, errors, metrics),
            *class_finding(curves, found.classes),
            error_finding(found, errors.counts(), lost),
            score_finding(found, errors),
        ],
        sections=[
            curve_section(curves, ap_per_class(rows, labels), found.classes),
            size_section(errors, metrics, least=least),
            error_section(errors.counts(), sure, lost),
            worst_section(found, errors, least=least),
        ],
        figures=[ap_figure(found, errors, metrics)],
        table=table_of(found, errors),
    )


def ap_finding(found: Predictions, errors: BoxErrors, metrics: dict[str, float]) -> Finding:
    """The finding on average precision."""
    useless = metrics["ap50"] < NOTHING
    boxes, images = len(errors.true_rows), len(found.labels)
    return Finding(
        name=f"average precision on {found.split}",
        status=grade(warn=useless, info=not useless),
        value={name: round(value, 4) for name, value in metrics.items()},
        expected=f"ap50 of {NOTHING} or more",
        why=f"{int(errors.found.sum()):,} of {boxes:,} boxes in {images:,} images are found at any score.",
        fix=TRAIN if useless else "",
    )


def class_finding(curves: list[BoxCurve], classes: list[str]) -> list[Finding]:
    """The finding on the weakest of several classes."""
    weak = min(curves, key=lambda curve: curve.ap)
    why = f"Its AP50 is {weak.ap:.3f}, with {weak.boxes:,} boxes."
    name = classes[weak.label]
    fact = Finding(name="weakest class", status="INFO", value=name, expected="", why=why, fix="")
    return [fact] if len(curves) > 1 else []


def error_finding(found: Predictions, counts: dict[str, int], lost: dict[str, float]) -> Finding:
    """The finding on the kinds of errors: how many, which costs most, and what helps against it."""
    worst = max(lost, key=lambda kind: lost[kind])
    matters = lost[worst] >= MATTERS
    return Finding(
        name=f"kinds of errors on {found.split}",
        status="INFO",
        value=counts,
        expected="",
        why=f"The kind {worst!r} costs most: {lost[worst]:.3f} of AP50."
        if matters
        else "None costs much AP50.",
        fix=HELP[worst] if matters else "",
    )


def score_finding(found: Predictions, errors: BoxErrors) -> Finding:
    """The finding on the best score threshold for boxes."""
    least, f1 = best_score(errors)
    why = f"F1 at IoU 0.5 is highest, {f1:.3f}, if boxes with at least this score count."
    name = f"best score on {found.split}"
    return Finding(name=name, status="INFO", value=round(least, 3), expected="", why=why, fix="")


def ap_figure(found: Predictions, errors: BoxErrors, metrics: dict[str, float]) -> Figure:
    """AP50, with the number of boxes and images it is measured on."""
    note = f"AP {metrics['ap']:.3f}; {len(errors.true_rows):,} boxes in {len(found.labels):,} images"
    return Figure(f"AP50 on {found.split}", f"{metrics['ap50']:.3f}", note)


def table_of(found: Predictions, errors: BoxErrors) -> str:
    """A CSV file: a row for each detection and missed box, in pixels of its picture, worst images first."""
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place in np.argsort(-ranking(found, errors), kind="stable").tolist():
        scale = float(found.labels[place, 0, SCALE])
        mine = errors.images == place
        true = (errors.true_images == place) & errors.missed
        said = zip(errors.rows[mine], errors.kinds[mine], errors.overlaps[mine], strict=True)
        rows = [(one, f"{one[SCORE]:.4g}", kind, f"{overlap:.3f}") for one, kind, overlap in said]
        rows += [(one, "", MISSED, "") for one in errors.true_rows[true]]
        for one, score, kind, overlap in rows:
            corners = [f"{corner:.6g}" for corner in one[CORNERS] * scale]
            label = found.classes[int(one[CLASS])]
            writer.writerow([found.name(place), label, score, *corners, kind, overlap])
    return out.getvalue()


def _no_boxes(found: Predictions) -> Finding:
    name = f"average precision on {found.split}"
    why = "No image of this split has a box."
    return Finding(name=name, status="INFO", value=None, expected="", why=why, fix="")
