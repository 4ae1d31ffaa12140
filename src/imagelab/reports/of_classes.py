"""Report on images whose classes are predicted: confusion, weak classes, mistakes, calibration."""

import io

import numpy as np

from imagelab.evaluation.confusion import confusion
from imagelab.evaluation.mistakes import losses
from imagelab.evaluation.per_class import wilson
from imagelab.evaluation.predictions import Predictions
from imagelab.metrics.calibration import calibration
from imagelab.reports.class_curves import curve_section
from imagelab.reports.image_parts import Figure, ImageParts
from imagelab.reports.run_findings import accuracy_finding, calibration_finding, class_findings
from imagelab.reports.run_sections import calibration_section, class_sections, picture_sections
from imagelab.runs.csv_cells import Writer

COLUMNS = ("file", "given", "predicted", "probability", "probability_of_given", "loss")


def of_classes(found: Predictions) -> ImageParts:
    """The parts of a report on the images of a split, at least two; each image has one class."""
    counts = confusion(found.labels, found.predicted, len(found.classes))
    calibrated = calibration(found.outputs, found.labels, seed=0)
    classes = [*class_sections(found, counts), *curve_section(found)]
    return ImageParts(
        findings=[accuracy_finding(found), *class_findings(found, counts), calibration_finding(calibrated)],
        sections=[*classes, *picture_sections(found), calibration_section(calibrated)],
        figures=[accuracy_figure(found)],
        table=table_of(found),
    )


def accuracy_figure(found: Predictions) -> Figure:
    """The accuracy, with what so few images leave open."""
    right = int((found.predicted == found.labels).sum())
    images = len(found.labels)
    low, high = wilson(right, images)
    note = f"{right:,} of {images:,} images; 95% interval {low:.1%} to {high:.1%}"
    return Figure(f"accuracy on {found.split}", f"{right / images:.1%}", note)


def table_of(found: Predictions) -> str:
    """A CSV file: a row for each image, the highest loss first."""
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    loss = losses(found.predictions, found.labels)
    for place in np.argsort(-loss, kind="stable"):
        given, predicted = found.labels[place], found.predicted[place]
        row = found.predictions[place]
        numbers = [f"{value:.6g}" for value in (row[predicted], row[given], loss[place])]
        writer.writerow([found.name(place), found.classes[given], found.classes[predicted], *numbers])
    return out.getvalue()
