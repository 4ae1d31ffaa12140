"""Show pictures beside their heat maps."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from imagelab.explaining.heat_maps import blended, heat_maps
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture, gallery
from imagelab.predictor import AT_ONCE, Predictor, batch_of

SIDE = 144  # pixels
TITLE = "Where the network looked"
ABOUT = (
    "Each picture as the network sees it, then with its heat map: red places support the predicted answer, "
    "blue ones do not. By Grad-CAM for convolutional networks, otherwise by hiding one place at a time."
)


def heat_section(
    predictor: Predictor,
    pictures: Sequence[np.ndarray],
    captions: Sequence[str],
    signals: Tensor | None = None,
) -> Section:
    """A section with each picture and its heat map for the largest output.

    Args:
        predictor: Trained network.
        pictures: Pictures as the reader returns them, (H, W, 3) uint8 of one size.
        captions: Words below each picture.
        signals: What the network sees besides the pictures, (N, S) float32; None: nothing.
    """
    shown = []
    for start in range(0, len(pictures), AT_ONCE):
        some = pictures[start : start + AT_ONCE]
        beside = None if signals is None else signals[start : start + AT_ONCE]
        maps = heat_maps(predictor, batch_of(some), signals=beside)
        for pixels, heat, words in zip(some, maps, captions[start:], strict=False):
            shown += [Picture(pixels, words), Picture(blended(pixels, heat), "")]
    return Section(TITLE, ABOUT, gallery(shown, side=SIDE))
