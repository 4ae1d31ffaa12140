"""Show the images of a split that are farthest off, whatever the task predicts: pictures, and a table."""

import numpy as np

from imagelab.evaluation.predictions import Predictions
from imagelab.pages.page import fold
from imagelab.pages.picture import Picture, gallery
from imagelab.pages.table import table

SHOWN_IMAGES = 24
THUMBNAIL = 96  # pixels


def worst_images(
    found: Predictions, scores: np.ndarray, said: np.ndarray, heads: tuple[str, str, str], caption: str
) -> str:
    """The images with the highest scores, as HTML.

    Args:
        found: Predictions for N images.
        scores: How far off each is, (N,).
        said: What was predicted, (N, ...), as the task words it.
        heads: Columns of the table: what is true, what was predicted, the score.
        caption: Words below a picture, with places for its name, what is true and what was predicted.
    """
    pictures, rows = [], []
    for place in np.argsort(-scores, kind="stable")[:SHOWN_IMAGES].tolist():
        name = found.name(place)
        true, predicted = (found.task.wording(part[place].tolist()) or "-" for part in (found.labels, said))
        rows.append((name, true, predicted, float(scores[place])))
        pixels = found.pixels(place, THUMBNAIL)
        if pixels is not None:
            pictures.append(Picture(pixels, caption.format(name, true, predicted)))
    listed = table(("image", *heads), rows)
    return gallery(pictures, side=THUMBNAIL) + fold("As a table", listed) if pictures else listed
