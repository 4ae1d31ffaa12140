# room: explaining
"""Explain the mistakes of highest loss by heat maps."""

from pathlib import Path

import numpy as np

from imagelab.evaluation.mistakes import top_losses
from imagelab.evaluation.one_run import checkpoint_of
from imagelab.evaluation.predictions import Predictions
from imagelab.explaining.gallery import heat_section
from imagelab.loading import from_checkpoint
from imagelab.metrics.table import CLASSES
from imagelab.pages.page import Section
from imagelab.problem import Problem

SHOWN = 24  # mistakes


def mistakes_explained(
    folder: Path, found: Predictions | None, checkpoint: str, weights: str | None
) -> list[Section]:
    """A section with heat maps of misclassified images, the highest loss first; nothing without any.

    Args:
        folder: Folder of the run.
        found: Predictions for a split; None: there are none.
        checkpoint: best or last.
        weights: raw, ema or swa; None: those that were better in validation.

    Raises:
        Problem: The network predicts no classes.
    """
    if found is None:
        return []
    if found.task.predicts != CLASSES:
        raise Problem(
            f"explain: the report explains mistakes in classes, and this run predicts {found.task.predicts}"
        )
    wrong = np.flatnonzero(found.predicted != found.labels)
    order = top_losses(found.predictions[wrong], found.labels[wrong], SHOWN)
    if found.images is None or not len(order):
        return []
    predictor = from_checkpoint(checkpoint_of(folder, checkpoint), weights)
    shown = {k: found.pixels(k, predictor.reader.least) for k in wrong[order].tolist()}
    captions = [
        f"{found.name(k)}: {found.classes[found.labels[k]]}, predicted {found.classes[found.predicted[k]]}"
        for k in shown
    ]
    pictures = [predictor.prepared(pixels) for pixels in shown.values()]
    signals = None if found.signals is None else found.signals[list(shown)]
    return [heat_section(predictor, pictures, captions, signals)]
