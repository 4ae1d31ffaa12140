"""The parts of a report's page: curves, rates, time, and what went wrong with which images."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from imagelab.evaluation.calibration import Calibration
from imagelab.evaluation.confusion import busiest, most_confused
from imagelab.evaluation.mistakes import confident_mistakes, losses, top_losses
from imagelab.evaluation.per_class import ClassRow, per_class
from imagelab.evaluation.predictions import Predictions
from imagelab.pages.charts import bars
from imagelab.pages.line_plot import Points, line_plot
from imagelab.pages.matrix import matrix
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.table import table
from imagelab.reports.curves import Curves, smoothed

SHOWN_CLASSES = 30  # of a confusion matrix
SHOWN_ROWS = 300  # of a table of classes
SHOWN_PAIRS = 20
SHOWN_IMAGES = 24  # of each kind
THUMBNAIL = 96  # pixels


def curve_sections(curves: Curves) -> list[Section]:
    """Losses, accuracies, rates and gradient norms, as far as there are any."""
    loss = {name: part["loss"] for name, part in curves.val.items() if "loss" in part}
    loss = {"train": curves.train} | loss
    right = {name: part["accuracy"] for name, part in curves.val.items() if "accuracy" in part}
    drawn = [
        _plot(curves.epochs, loss, title="Loss", x_label="epoch", y_label="loss"),
        _plot(curves.epochs, right, title="Accuracy", x_label="epoch", y_label="accuracy"),
    ]
    about = "Each epoch pale, a moving average over a twentieth of the run in full colour."
    found = [Section("Curves", about, "\n".join(filter(None, drawn)))] if any(drawn) else []
    steps = {"train": curves.losses}
    rates = {f"lr/{name}": values for name, values in curves.rates.items()}
    moved = [
        _plot(curves.steps, steps, title="Training loss by step", x_label="step", y_label="loss"),
        _plot(curves.steps, rates, title="Learning rate", x_label="step", y_label="rate", mean=False),
        _plot(curves.steps, {"gradient": curves.norms}, title="Gradient norm", x_label="step", y_label="norm")
        if len(curves.norms)
        else "",
    ]
    about = "The norm is that of the whole gradient before clipping, at the logged steps."
    return found + ([Section("Steps", about, "\n".join(filter(None, moved)))] if any(moved) else [])


def time_section(seconds: Mapping[str, float]) -> list[Section]:
    """Where the time went."""
    total = sum(seconds.values())
    if not total:
        return []
    shown = {phase: {"seconds": value} for phase, value in seconds.items()}
    about = "Loading is what the training waited for; the rest is logging, checkpoints and what is between."
    chart = bars(shown, title=f"{total:.1f} s of training", y_label="seconds", height=300)
    return [Section("Time", about, chart)]


def class_sections(found: Predictions, counts: np.ndarray) -> list[Section]:
    """Which classes are found how well, and which are taken for which."""
    part = busiest(counts, SHOWN_CLASSES)
    about = f"Images of {found.split}, {found.weights} weights: a row for each given class."
    if len(part) < len(counts):
        about += f" Of {len(counts):,} classes the {len(part)} with the most mistakes."
    names = [found.classes[label] for label in part]
    picture = matrix(counts[np.ix_(part, part)], names, title="Confusion matrix", rows="given")
    pairs = [
        (found.classes[pair.given], found.classes[pair.predicted], pair.count, pair.share)
        for pair in most_confused(counts, SHOWN_PAIRS)
    ]
    columns = ("given", "predicted", "images", "share of given")
    confused = table(columns, pairs) if pairs else ""
    rows = sorted(per_class(counts), key=lambda row: (math.isnan(row.f1), row.f1))
    each = table(
        ("class", "images", "predicted", "precision", "95% interval", "recall", "95% interval ", "F1"),
        [_class_cells(row, found.classes) for row in rows[:SHOWN_ROWS]],
        of=len(rows),
    )
    return [
        Section("Confusion", about, picture + confused),
        Section("Classes", "Weakest first; intervals after Wilson.", each),
    ]


def calibration_section(found: Calibration) -> Section:
    """Confidence against accuracy."""
    confidence = [one.confidence for one in found.bins]
    series = {
        "perfect": ((0.0, 1.0), (0.0, 1.0)),
        "found": (confidence, [one.accuracy for one in found.bins]),
    }
    plot = line_plot(
        series,
        title="Calibration",
        x_label="mean probability of the prediction",
        y_label="share that is right",
    )
    rows = [(one.images, one.confidence, one.accuracy) for one in found.bins]
    about = (
        f"Expected calibration error {found.ece:.3f}, 95% interval [{found.interval[0]:.3f}, "
        f"{found.interval[1]:.3f}], of {found.images:,} images; below the line: too sure."
    )
    return Section("Calibration", about, plot + table(("images", "mean probability", "share right"), rows))


def picture_sections(found: Predictions) -> list[Section]:
    """The images with the highest loss, and the mistakes made most confidently."""
    worst = top_losses(found.probabilities, found.labels, SHOWN_IMAGES)
    sure = confident_mistakes(found.probabilities, found.labels, SHOWN_IMAGES)
    parts = [
        Section(
            "Top losses", "The images whose given class got the lowest probability.", _images(found, worst)
        )
    ]
    if len(sure):
        about = "Wrong, and sure of it: the first place to look for wrong labels."
        parts.append(Section("Confident mistakes", about, _images(found, sure)))
    return parts


def _images(found: Predictions, places: np.ndarray) -> str:
    pictures = []
    for place in places.tolist():
        pixels = found.pixels(place, THUMBNAIL)
        if pixels is not None:
            given, predicted = found.labels[place], found.predicted[place]
            row = found.probabilities[place]
            words = f"{found.classes[given]} ({row[given]:.2g}), predicted {found.classes[predicted]}"
            pictures.append(Picture(pixels, f"{found.name(place)}: {words} ({row[predicted]:.2g})"))
    rows = [
        (
            found.name(place),
            found.classes[found.labels[place]],
            found.classes[found.predicted[place]],
            float(found.probabilities[place, found.labels[place]]),
            float(found.probabilities[place].max()),
            float(losses(found.probabilities[[place]], found.labels[[place]])[0]),
        )
        for place in places.tolist()
    ]
    columns = ("image", "given", "predicted", "probability of given", "of predicted", "loss")
    return (gallery(pictures, side=THUMBNAIL) if pictures else "") + table(columns, rows)


def _class_cells(row: ClassRow, classes: Sequence[str]) -> tuple[str | int | float | None, ...]:
    """The cells of a class; empty where there was nothing to divide by."""
    right = [
        cell
        for share, (low, high) in ((row.precision, row.precision_interval), (row.recall, row.recall_interval))
        for cell in ((None, None) if math.isnan(share) else (share, f"{low:.1%} to {high:.1%}"))
    ]
    f1 = None if math.isnan(row.f1) else row.f1
    return classes[row.label], row.images, row.predicted, *right, f1


def _plot(
    x: np.ndarray,
    series: Mapping[str, np.ndarray],
    *,
    title: str,
    x_label: str,
    y_label: str,
    mean: bool = True,
) -> str:
    """Lines with their moving averages; empty where there is nothing to draw."""
    known = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not known:
        return ""
    lines: dict[str, Points] = {
        name: (x.tolist(), (smoothed(values) if mean else values).tolist()) for name, values in known.items()
    }
    pale = {name: (x.tolist(), values.tolist()) for name, values in known.items()} if mean else None
    return line_plot(lines, title=title, x_label=x_label, y_label=y_label, behind=pale, height=340)
