# room: detection
"""Draw boxes on a picture, as pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from imagelab.pages.wording import printable

if TYPE_CHECKING:
    import numpy as np

TRUE, GOOD, WRONG = (0, 200, 0), (60, 140, 255), (255, 70, 40)  # RGB


class DrawnBox(NamedTuple):
    """A box to draw: corners in pixels of the picture, words above it, and its colour."""

    corners: tuple[float, float, float, float]
    words: str
    colour: tuple[int, int, int]


def with_boxes(pixels: np.ndarray, boxes: Iterable[DrawnBox], *, side: int) -> np.ndarray:
    """A picture with boxes on it, as large as it is shown, so that lines stay sharp.

    Args:
        pixels: (H, W, 3) uint8.
        boxes: Boxes to draw; later ones cover earlier ones.
        side: Longer side of the result in pixels.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    image = Image.fromarray(pixels).resize(size, how)
    draw = ImageDraw.Draw(image)
    for box in boxes:
        left, top, right, bottom = (corner * scale for corner in box.corners)
        right, bottom = max(left, right - 1), max(top, bottom - 1)  # the last pixel inside the box
        draw.rectangle((left, top, right, bottom), outline=box.colour, width=1)
        if box.words:
            draw.text((left + 2, max(0, top - 11)), printable(box.words), fill=box.colour)
    return np.asarray(image)
