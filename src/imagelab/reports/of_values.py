"""Report on images whose values are predicted: how far off they are, and the images that are farthest off."""

import io

import numpy as np

from imagelab.evaluation.predictions import Predictions
from imagelab.finding import Finding, grade
from imagelab.pages.charts import histogram, scatter
from imagelab.pages.page import Section, row
from imagelab.reports.image_parts import Figure, ImageParts
from imagelab.reports.worst_images import worst_images
from imagelab.runs.csv_cells import Writer

SIZE = (440, 360)  # pixels of a chart


def of_values(found: Predictions) -> ImageParts:
    """The parts of a report on the images of a split, at least two; errors are predicted - true values."""
    errors = found.predictions.astype(float) - found.labels
    return ImageParts(
        findings=[value_finding(found, errors, place) for place in range(len(found.classes))],
        sections=[*error_sections(found, errors), worst_section(found, errors)],
        figures=[error_figure(found, errors, place) for place in range(len(found.classes))],
        table=table_of(found, errors),
    )


def explained(true: np.ndarray, errors: np.ndarray) -> float:
    """The share of the variance of values (N,) that predictions with these errors explain."""
    whole = float(np.square(true - true.mean()).sum())
    return 1 - float(np.square(errors).sum()) / whole if whole else 0.0


def value_finding(found: Predictions, errors: np.ndarray, place: int) -> Finding:
    """The finding on a value: its errors beside those of always predicting the mean."""
    name = found.classes[place]
    true = found.labels[:, place].astype(float)
    off = errors[:, place]
    numbers = {
        "mae": np.abs(off).mean(),
        "rmse": np.square(off).mean() ** 0.5,
        "r2": explained(true, off),
        "mean_error": off.mean(),
        "mae_of_mean": np.abs(true - true.mean()).mean(),
    }
    useless = numbers["r2"] <= 0
    return Finding(
        name=f"errors of {name} on {found.split}",
        status=grade(warn=useless),
        value={key: float(f"{value:.6g}") for key, value in numbers.items()},
        expected="r2 above 0: better than always predicting the mean",
        why=f"Always predicting the mean is off by {numbers['mae_of_mean']:.4g} on average.",
        fix="Train longer or at another rate; look at the worst images." if useless else "",
    )


def error_figure(found: Predictions, errors: np.ndarray, place: int) -> Figure:
    """The mean absolute error of a value, with the share of its variance that is explained."""
    off = errors[:, place]
    share = explained(found.labels[:, place].astype(float), off)
    note = f"mean absolute error of {len(off):,} images; {share:.1%} of the variance explained"
    return Figure(f"{found.classes[place]} off on {found.split}", f"{np.abs(off).mean():.4g}", note)


def error_sections(found: Predictions, errors: np.ndarray) -> list[Section]:
    """A section for each value: predicted against true values, and the errors."""
    names = [found.name(place) for place in range(len(found.labels))]
    sections = []
    for place, name in enumerate(found.classes):
        true = found.labels[:, place]
        predicted = found.predictions[:, place]
        off = errors[:, place]
        width, height = SIZE
        charts = [
            scatter(
                [*zip(true.tolist(), values.tolist(), strict=True)],
                title=title,
                x_label=f"true {name}",
                y_label=label,
                names=names,
                line=line,
                width=width,
                height=height,
            )
            for title, values, label, line in (
                (f"Predicted {name}", predicted, f"predicted {name}", (0.0, 1.0)),
                (f"Errors of {name}", off, "predicted - true", (0.0, 0.0)),
            )
        ]
        counts = histogram(
            {found.split: off.tolist()},
            title=f"Distribution of the errors of {name}",
            x_label="predicted - true",
            width=width,
            height=height,
        )
        about = (
            f"Images of {found.split}, {found.weights} weights. Errors that grow with the value ask for its "
            "logarithm; a slope against the line means that extremes are drawn to the mean."
        )
        sections.append(Section(name[:1].upper() + name[1:], about, row(*charts, counts)))
    return sections


def ranking(found: Predictions, errors: np.ndarray) -> np.ndarray:
    """How far off each image is, (N,): the mean over values of the error in standard deviations."""
    spread = found.labels.astype(float).std(axis=0)
    return np.abs(errors / np.where(spread > 0, spread, 1.0)).mean(axis=1)


def worst_section(found: Predictions, errors: np.ndarray) -> Section:
    """The section with the images that are farthest off: the first place to look for wrong values."""
    far = ranking(found, errors)
    heads = ("true", "predicted", "error in standard deviations")
    body = worst_images(found, far, found.predictions, heads, "{}: {}, predicted {}")
    return Section("Worst images", "The farthest off: the first place to look for wrong values.", body)


def table_of(found: Predictions, errors: np.ndarray) -> str:
    """A CSV file: a row for each image, the one that is farthest off first."""
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    heads = [f"{what}_{name}" for name in found.classes for what in ("true", "predicted", "error")]
    writer.writerow(["file", *heads])
    cells = np.stack([found.labels, found.predictions, errors], axis=2).reshape(len(errors), -1)
    for place in np.argsort(-ranking(found, errors), kind="stable").tolist():
        writer.writerow([found.name(place), *(f"{value:.6g}" for value in cells[place])])
    return out.getvalue()
