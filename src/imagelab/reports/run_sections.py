"""Make the sections of a report's page: curves, rates, time, classes and misclassified images."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from imagelab.evaluation.confusion import busiest, most_confused
from imagelab.evaluation.mistakes import confident_mistakes, losses, top_losses
from imagelab.evaluation.per_class import ClassRow, per_class
from imagelab.evaluation.predictions import Predictions
from imagelab.finding import Finding
from imagelab.metrics.calibration import Calibration
from imagelab.metrics.table import ACCURACY, LOSS
from imagelab.pages.charts import bars
from imagelab.pages.finding_table import finding_table
from imagelab.pages.line_plot import Points, line_plot
from imagelab.pages.matrix import matrix
from imagelab.pages.page import Section, fold, row
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.table import table
from imagelab.reports.box_verdict import BOX_MEANINGS  # room: detection
from imagelab.reports.curve_numbers import MEANINGS
from imagelab.reports.curves import SMOOTH, Curves, smoothed
from imagelab.reports.generator_verdict import GENERATOR_MEANINGS  # room: generators
from imagelab.reports.run_findings import NUMBERS
from imagelab.reports.states import Verdict

SHOWN_CLASSES = 30  # of a confusion matrix
SHOWN_ROWS = 300  # of a table of classes
SHOWN_PAIRS = 20
SHOWN_IMAGES = 24  # of each kind
THUMBNAIL = 96  # pixels
LONG = 2 * SMOOTH  # most points of a curve that is drawn without smoothing
CLASS_COLUMNS = (
    *("class", "images", "predicted", "precision", "95% interval of precision"),
    *("recall", "95% interval of recall", "F1"),
)
LARGE, SMALL = (640, 360), (440, 280)  # pixels of a chart


def curve_sections(curves: Curves, headline: str) -> list[Section]:
    """Sections on losses, the metric that judges the run, rates and gradient norms, as far as there are any.

    Args:
        curves: Curves of the run.
        headline: Name of the metric that judges the run.
    """
    loss = {name: part["loss"] for name, part in curves.val.items() if "loss" in part}
    loss = {"train": curves.train} | loss
    judged = {name: part[headline] for name, part in curves.val.items() if headline in part}
    trained = headline == ACCURACY and len(curves.train_accuracy)
    judged = ({"train": curves.train_accuracy} if trained else {}) | judged
    title = headline.replace("_", " ").capitalize()
    drawn = [
        _plot(curves.epochs, loss, title="Loss", x_label="epoch", y_label="loss"),
    ]
    if headline != LOSS:
        drawn.append(_plot(curves.epochs, judged, title=title, x_label="epoch", y_label=headline))
    about = "Train: mean over the augmented batches of the epoch. Val: at the end of the epoch."
    if len(curves.epochs) > LONG:
        about += " Lines are moving averages over a twentieth of the run; single epochs are pale."
    found = [Section("Curves", about, row(*drawn))] if any(drawn) else []
    return found + _step_section(curves)


def _step_section(curves: Curves) -> list[Section]:
    draw = partial(_plot, curves.steps, x_label="step", size=SMALL)
    moved = [
        draw({"train": curves.losses}, title="Training loss", y_label="loss"),
        draw(_merged(curves.rates), title="Learning rate", y_label="rate", mean=False),
        draw({"norm": curves.norms}, title="Gradient norm", y_label="norm") if len(curves.norms) else "",
    ]
    about = "At the logged steps. The norm is that of the whole gradient, before clipping."
    return [Section("Steps", about, row(*moved))] if any(moved) else []


def _merged(rates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rates by the names of all groups that share them."""
    found: dict[bytes, list[str]] = {}
    for name, values in rates.items():
        found.setdefault(values.tobytes(), []).append(name)
    return {", ".join(names): rates[names[0]] for names in found.values()}


def time_section(seconds: Mapping[str, float]) -> list[Section]:
    """The section on training time."""
    total = sum(seconds.values())
    if not total:
        return []
    shown = {phase: {"seconds": value} for phase, value in seconds.items()}
    about = "Loading: waiting for the next batch. Rest: logging, checkpoints and the loop itself."
    width, height = LARGE
    chart = bars(shown, title=f"{total:.1f} s of training", y_label="seconds", width=width, height=height)
    rows = [(phase, value, value / total) for phase, value in seconds.items()]
    return [Section("Time", about, row(chart, table(("phase", "seconds", "share"), rows)))]


def numbers_section(judged: Verdict, findings: Sequence[Finding]) -> Section:
    """The section with all findings, and the numbers behind the verdict."""
    meanings = dict(MEANINGS)
    meanings |= GENERATOR_MEANINGS  # room: generators
    meanings |= BOX_MEANINGS  # room: detection
    rows = [(name, value, meanings[name]) for name, value in judged.numbers.items()]
    others = [one for one in findings if one.name != NUMBERS]  # these are the rows
    body = (table(("number", "value", "meaning"), rows) if rows else "") + finding_table(others)
    return Section("Numbers behind the verdict", judged.how, body, folded=True)


def class_sections(found: Predictions, counts: np.ndarray) -> list[Section]:
    """Sections on precision and recall per class, and on confusions."""
    part = busiest(counts, SHOWN_CLASSES)
    about = f"Images of {found.split}, {found.weights} weights; one row per given class."
    if len(part) < len(counts):
        about += f" Only the {len(part)} of {len(counts):,} classes with the most mistakes."
    names = [found.classes[label] for label in part]
    picture = matrix(counts[np.ix_(part, part)], names, title="Confusion matrix", rows="given")
    pairs = [
        (found.classes[pair.given], found.classes[pair.predicted], pair.count, pair.share)
        for pair in most_confused(counts, SHOWN_PAIRS)
    ]
    columns = ("given", "predicted", "images", "share of given")
    confused = table(columns, pairs) if pairs else "<p>No image is misclassified.</p>"
    rows = sorted(per_class(counts), key=lambda row: (math.isnan(row.f1), row.f1))
    each = table(
        CLASS_COLUMNS,
        [_class_cells(row, found.classes) for row in rows[:SHOWN_ROWS]],
        of=len(rows),
    )
    return [
        Section("Confusion", about, row(picture, confused)),
        Section("Classes", "Weakest first. Intervals are 95% Wilson intervals.", each),
    ]


def calibration_section(found: Calibration) -> Section:
    """The section on calibration: confidence against accuracy."""
    confidence = [one.confidence for one in found.bins]
    series = {
        "perfect": ((0.0, 1.0), (0.0, 1.0)),
        "measured": (confidence, [one.accuracy for one in found.bins]),
    }
    plot = line_plot(
        series,
        title="Calibration",
        x_label="mean probability of the predicted class",
        y_label="accuracy",
        width=LARGE[0],
        height=400,
    )
    rows = [(one.images, one.confidence, one.accuracy) for one in found.bins]
    about = (
        f"Expected calibration error {found.ece:.3f}, 95% interval [{found.interval[0]:.3f}, "
        f"{found.interval[1]:.3f}], of {found.images:,} images. Below the line the model is overconfident."
    )
    return Section("Calibration", about, row(plot, table(("images", "mean probability", "accuracy"), rows)))


def picture_sections(found: Predictions) -> list[Section]:
    """Sections with the images of highest loss, and the most confident mistakes."""
    worst = top_losses(found.predictions, found.labels, SHOWN_IMAGES)
    sure = confident_mistakes(found.predictions, found.predicted, found.labels, SHOWN_IMAGES)
    parts = [
        Section(
            "Top losses",
            "The images whose given class got the lowest probability (in brackets).",
            _images(found, worst),
        )
    ]
    if len(sure):
        about = "Wrong with high confidence: the first place to look for wrong labels."
        parts.append(Section("Confident mistakes", about, _images(found, sure)))
    return parts


def _images(found: Predictions, places: np.ndarray) -> str:
    pictures = []
    for place in places.tolist():
        pixels = found.pixels(place, THUMBNAIL)
        if pixels is not None:
            given, predicted = found.labels[place], found.predicted[place]
            shares = found.predictions[place]
            words = f"{found.name(place)}: {found.classes[given]} ({shares[given]:.0%})"
            wrong = f", predicted {found.classes[predicted]} ({shares[predicted]:.0%})"
            pictures.append(Picture(pixels, words + (wrong if given != predicted else "")))
    rows = [
        (
            found.name(place),
            found.classes[found.labels[place]],
            found.classes[found.predicted[place]],
            float(found.predictions[place, found.labels[place]]),
            float(found.predictions[place].max()),
            float(losses(found.predictions[[place]], found.labels[[place]])[0]),
        )
        for place in places.tolist()
    ]
    columns = ("image", "given", "predicted", "probability of given", "of predicted", "loss")
    listed = table(columns, rows)
    return gallery(pictures, side=THUMBNAIL) + fold("As a table", listed) if pictures else listed


def _class_cells(row: ClassRow, classes: Sequence[str]) -> tuple[str | int | float | None, ...]:
    """The cells of a class; empty if undefined."""
    right = [
        cell
        for share, (low, high) in ((row.precision, row.precision_interval), (row.recall, row.recall_interval))
        for cell in ((None, None) if math.isnan(share) else (share, f"{low:.3f} to {high:.3f}"))
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
    size: tuple[int, int] = LARGE,
    mean: bool = True,
) -> str:
    """A line plot, with moving averages if there are many points; empty if there is nothing to draw."""
    known = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not known:
        return ""
    plain: dict[str, Points] = {name: (x.tolist(), values.tolist()) for name, values in known.items()}
    mean = mean and len(x) > LONG
    means = {name: (x.tolist(), smoothed(values).tolist()) for name, values in known.items()}
    return line_plot(
        means if mean else plain,
        title=title,
        x_label=x_label,
        y_label=y_label,
        behind=plain if mean else None,
        width=size[0],
        height=size[1],
    )
