"""Report on images that have several classes: precision and threshold of each, pairs, worst images."""

import io
import math

import numpy as np
import torch

from imagelab.data.labels import co_occurrence
from imagelab.evaluation.predictions import Predictions
from imagelab.finding import Finding, grade
from imagelab.metrics.tags import average_precision, f1_by_class
from imagelab.pages.charts import bars, matrix
from imagelab.pages.page import Section, row
from imagelab.pages.table import table
from imagelab.reports.image_parts import Figure, ImageParts
from imagelab.reports.worst_images import worst_images
from imagelab.runs.csv_cells import Writer

SHOWN_CLASSES = 30  # of a chart
TINY = 1e-12
COLUMNS = (
    *("class", "images", "predicted", "average precision", "of chance"),
    *("threshold", "precision", "recall", "F1"),
)


def of_tags(found: Predictions) -> ImageParts:
    """The parts of a report on the images of a split, at least two; each image has any number of classes."""
    rows = class_rows(found)
    return ImageParts(
        findings=[*class_findings(found, rows), exact_finding(found)],
        sections=[*class_sections(found, rows), worst_section(found)],
        figures=[exact_figure(found)],
        table=table_of(found),
    )


def class_rows(found: Predictions) -> list[tuple[str | int | float | None, ...]]:
    """The cells of COLUMNS for each class, the lowest average precision first; None if undefined."""
    labels = torch.from_numpy(found.labels)
    decided = torch.from_numpy(found.predicted)
    precision = average_precision(torch.from_numpy(found.predictions), labels).tolist()
    scores = f1_by_class(decided, labels).tolist()
    hits, said, given = ((part).sum(dim=0).tolist() for part in (decided & labels, decided, labels))
    thresholds = found.task.thresholds.tolist()
    rows = [
        (
            name,
            given[k],
            said[k],
            _known(precision[k]),
            given[k] / len(labels),
            thresholds[k],
            hits[k] / said[k] if said[k] else None,
            hits[k] / given[k] if given[k] else None,
            _known(scores[k]),
        )
        for k, name in enumerate(found.classes)
    ]
    return sorted(rows, key=lambda cells: math.inf if cells[3] is None else float(cells[3]))


def class_findings(found: Predictions, rows: list[tuple[str | int | float | None, ...]]) -> list[Finding]:
    """The findings on the weakest class, and on classes that no image of the split has."""
    known = [cells for cells in rows if cells[3] is not None]
    bare = [str(cells[0]) for cells in rows if cells[3] is None]
    findings = []
    if known:
        name, images, _, precision, chance, *_ = known[0]
        useless = float(precision or 0) < 2 * float(chance or 0) and float(chance or 0) < 0.5
        findings.append(
            Finding(
                name="weakest class",
                status=grade(warn=useless),
                value=name,
                expected="an average precision of twice that of chance, for a rare class",
                why=f"Average precision {precision:.3f} on {images:,} images of {found.split}; "
                f"of chance: {chance:.3f}.",
                fix="Try loss.weight=balanced, or collect images of it." if useless else "",
            )
        )
    findings.append(
        Finding(
            name=f"classes without images in {found.split}",
            status=grade(warn=bare),
            value=bare or "none",
            expected="none",
            why="They are left out of the means, and keep the threshold 0.5." if bare else "",
            fix="Hold out more images." if bare else "",
        )
    )
    return findings


def exact_finding(found: Predictions) -> Finding:
    """The finding on images whose classes are all right."""
    right = (found.predicted == found.labels).all(axis=1)
    return Finding(
        name=f"subset accuracy on {found.split}",
        status="INFO",
        value=round(float(right.mean()), 4),
        expected="",
        why=f"{int(right.sum()):,} of {len(right):,} images have exactly the predicted classes.",
        fix="",
    )


def exact_figure(found: Predictions) -> Figure:
    """The share of images whose classes are all right."""
    right = (found.predicted == found.labels).all(axis=1)
    note = f"{int(right.sum()):,} of {len(right):,} images have exactly the predicted classes"
    return Figure(f"subset accuracy on {found.split}", f"{right.mean():.1%}", note)


def class_sections(found: Predictions, rows: list[tuple[str | int | float | None, ...]]) -> list[Section]:
    """Sections on the classes, and on which ones go together."""
    shown = [cells for cells in rows if cells[3] is not None][:SHOWN_CLASSES]
    heights = {
        str(c[0]): {"average precision": float(c[3] or 0), "of chance": float(c[4] or 0)} for c in shown
    }
    chart = bars(heights, title="Average precision", y_label="average precision") if heights else ""
    about = (
        f"Images of {found.split}, {found.weights} weights; weakest first. Thresholds were fitted to val, "
        "for the highest F1 of each class: on val itself, F1 is slightly optimistic."
    )
    part = np.sort(np.argsort(-found.labels.sum(axis=0), kind="stable")[:SHOWN_CLASSES])
    names = [found.classes[k] for k in part]
    charts = [
        matrix(co_occurrence(one[:, part]), names, title=title, rows="class", columns="also")
        for title, one in (("Given together", found.labels), ("Predicted together", found.predicted))
    ]
    together = (
        "Images that have two classes, given and predicted: pairs that differ are confused, or correlated."
    )
    return [
        Section("Classes", about, chart + table(COLUMNS, rows)),
        Section("Which classes go together", together, row(*charts)),
    ]


def losses(found: Predictions) -> np.ndarray:
    """Binary cross entropy of each image, (N,), the mean over its classes."""
    own = np.where(found.labels, found.predictions, 1 - found.predictions)
    return -np.log(np.maximum(own, TINY)).mean(axis=1)


def worst_section(found: Predictions) -> Section:
    """The section with the images of highest loss: the first place to look for wrong or missing labels."""
    loss = losses(found)
    body = worst_images(found, loss, found.predicted, ("given", "predicted", "loss"), "{}: {}; predicted {}")
    return Section("Top losses", "The first place to look for wrong or missing labels.", body)


def table_of(found: Predictions) -> str:
    """A CSV file: a row for each image, the highest loss first."""
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow(["file", "given", "predicted", "loss", *found.classes])
    loss = losses(found)
    for place in np.argsort(-loss, kind="stable").tolist():
        words = [found.task.wording(part[place].tolist()) for part in (found.labels, found.predicted)]
        numbers = [f"{value:.6g}" for value in (loss[place], *found.predictions[place])]
        writer.writerow([found.name(place), *words, *numbers])
    return out.getvalue()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
