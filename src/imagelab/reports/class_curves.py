"""Draw precision against recall, and ROC curves, one class against the others, with the best thresholds.

Source: Davis & Goadrich 2006, https://doi.org/10.1145/1143844.1143874; computed by scikit-learn.
"""

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from imagelab.evaluation.predictions import Predictions
from imagelab.metrics.class_curve import class_curve
from imagelab.pages.line_plot import Points, line_plot
from imagelab.pages.page import Section, row
from imagelab.pages.table import table

DRAWN = 7  # classes: the colours that can be told apart
COLUMNS = (
    *("class", "images", "average precision", "AUROC"),
    *("threshold", "precision there", "recall there", "F1 there"),
)
SIZE = (520, 400)  # pixels of a chart


def curve_section(found: Predictions) -> list[Section]:
    """The section on curves and thresholds by class.

    Nothing if no class has images and others without, or if predictions are NaN, as after a divergence.
    """
    if not np.isfinite(found.predictions).all():
        return []
    there = {
        label: found.labels == label
        for label in range(len(found.classes))
        if 0 < (found.labels == label).sum() < len(found.labels)
    }
    curves = [class_curve(label, found.predictions[:, label], mine) for label, mine in there.items()]
    if not curves:
        return []
    curves.sort(key=lambda curve: curve.ap)
    drawn = [curve.label for curve in curves[:DRAWN]]
    precisions: dict[str, Points] = {}
    rates: dict[str, Points] = {}
    for label in drawn:
        precision, recall, _ = precision_recall_curve(there[label], found.predictions[:, label])
        wrong, right, _ = roc_curve(there[label], found.predictions[:, label])
        precisions[found.classes[label]] = (recall[::-1].tolist(), precision[::-1].tolist())
        rates[found.classes[label]] = (wrong.tolist(), right.tolist())
    charts = [
        _chart(precisions, "Precision and recall", "recall", "precision"),
        _chart(rates, "ROC", "share of other images taken for it", "recall"),
    ]
    rows = [(found.classes[curve.label], *curve[1:]) for curve in curves]
    about = "Each class against all others by its probability, weakest first. Threshold: highest F1."
    about += f" The {DRAWN} weakest are drawn." if len(curves) > DRAWN else ""
    return [Section("Curves by class", about, row(*charts) + table(COLUMNS, rows))]


def _chart(series: dict[str, Points], title: str, x_label: str, y_label: str) -> str:
    width, height = SIZE
    limits = (0.0, 1.0)
    return line_plot(
        series, title=title, x_label=x_label, y_label=y_label, y_limits=limits, width=width, height=height
    )
