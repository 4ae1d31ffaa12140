# room: detection
"""Draw boxes on a picture, as pixels."""

import colorsys
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imagelab.pages.wording import printable

GOLDEN = 0.618034  # of the circle of hues: any number of classes get hues far apart
THIN, SMALL, LEAST = 400, 45, 10  # lines have 1/400 of the longer side, letters 1/45, at least 10 pixels
TRUE, GOOD, WRONG = (0, 200, 0), (60, 140, 255), (255, 70, 40)  # RGB


def colour_of(kind: int) -> tuple[int, int, int]:
    """A bright colour for each number, such as a class.

    >>> colour_of(0), colour_of(1) != colour_of(2)
    ((255, 77, 77), True)
    """
    red, green, blue = colorsys.hsv_to_rgb(kind * GOLDEN % 1, 0.7, 1)
    return round(255 * red), round(255 * green), round(255 * blue)


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
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    image = Image.fromarray(pixels).resize(size, how)
    draw = ImageDraw.Draw(image)
    thick, letters = max(1, side // THIN), max(LEAST, side // SMALL)
    font = ImageFont.load_default(letters)
    for box in boxes:
        left, top, right, bottom = (corner * scale for corner in box.corners)
        right, bottom = max(left, right - 1), max(top, bottom - 1)  # the last pixel inside the box
        draw.rectangle((left, top, right, bottom), outline=box.colour, width=thick)
        if box.words:
            place = left + 1 + thick, max(0, top - 1 - letters)
            draw.text(place, printable(box.words), fill=box.colour, font=font)
    return np.asarray(image)
