# room: detection
"""Hold the boxes of images as one array: each image has as many rows as the one with most boxes.

A row is (class, left, top, right, bottom, scale): corners in pixels of the image that the row goes with, from
its top left corner; scale is the number of pixels of the original photo per pixel of that image. Rows without
a box have class -1, so that batches, splits and processes handle boxes as they do all other labels.

Detections of an image are such rows too, with a score in place of the scale.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:  # torch takes 500 MB, and code that only reads files does not need it
    from torch import Tensor

COLUMNS = 6
NO_BOX = -1.0
CORNERS = slice(1, 5)
CLASS, SCALE, SCORE = 0, 5, 5
LEAST = 1.0  # pixels: a box that is narrower or lower than this is degenerate

DEGENERATE, OUTSIDE = "degenerate", "outside"

Labels = TypeVar("Labels", "np.ndarray", "Tensor")


class BoxFault(NamedTuple):
    """A box that a data set left out, as it has no area inside its picture, or cut off at the border.

    path: Path of the picture. label: Name of the class. corners: As they were given. what: `DEGENERATE` or
    `OUTSIDE`.
    """

    path: str
    label: str
    corners: tuple[float, float, float, float]
    what: str

    def __str__(self) -> str:
        return f"{self.path.rpartition('/')[2]} {self.label} {[*self.corners]}"


def counted(boxes: int) -> str:
    """The number of boxes in words.

    >>> counted(1), counted(2400)
    ('1 box', '2,400 boxes')
    """
    return f"{boxes:,} box" + "es" * (boxes != 1)


def stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Labels of boxes of several splits, (N_i, M_i, 6) each, with as many rows as the one with most.

    >>> stacked([padded([np.ones((2, 5))]), padded([np.ones((1, 5))])])[:, :, 0].tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """
    labels = padded([np.ones((max(part.shape[1] for part in parts), 5))] * sum(map(len, parts)))
    labels[..., CLASS], labels[..., CORNERS] = NO_BOX, 0
    first = 0
    for part in parts:
        labels[first : first + len(part), : part.shape[1]] = part
        first += len(part)
    return labels


class Detections(NamedTuple):
    """The n objects found in an image, highest score first.

    names: Name of each one's class. labels: Index of its class, (n,) int64. scores: How sure the network is,
    (n,) float32 in [0, 1]. corners: Left, top, right and bottom, (n, 4) float32, in pixels of the original
    image from its top left corner. size: Width and height of that image in pixels.
    """

    names: list[str]
    labels: np.ndarray
    scores: np.ndarray
    corners: np.ndarray
    size: tuple[int, int]

    def above(self, score: float) -> "Detections":
        """The detections with at least this score."""
        kept = self.scores >= score
        names = [name for name, own in zip(self.names, kept.tolist(), strict=True) if own]
        return Detections(names, self.labels[kept], self.scores[kept], self.corners[kept], self.size)


def padded(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """The boxes of N images, each (n, 5) of class and corners -> labels (N, M, 6) float32, M >= 1.

    >>> padded([np.array([[2, 0, 0, 8, 4]]), np.empty((0, 5))])[:, 0].tolist()
    [[2.0, 0.0, 0.0, 8.0, 4.0, 1.0], [-1.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    most = max([1, *map(len, boxes)])
    labels = np.zeros((len(boxes), most, COLUMNS), dtype=np.float32)
    labels[..., CLASS] = NO_BOX
    labels[..., SCALE] = 1
    for place, one in enumerate(boxes):
        labels[place, : len(one), :SCALE] = one
    return labels


def there(rows: Labels) -> Labels:
    """Which rows (..., M, 6) hold a box, (..., M) bool."""
    return rows[..., CLASS] >= 0


def framed(labels: np.ndarray, sizes: np.ndarray, side: int) -> np.ndarray:
    """Labels (N, M, 6) of images that have been shrunk or enlarged to fit into a square.

    Args:
        labels: Labels in pixels of the images.
        sizes: Width and height of each image in pixels, (N, 2).
        side: Side of the square in pixels; the images begin at its top left corner.

    >>> framed(padded([np.array([[0, 10, 0, 40, 20]])]), np.array([[40, 20]]), 10)[0, 0].tolist()
    [0.0, 2.5, 0.0, 10.0, 5.0, 4.0]
    """
    scale = (sizes.max(axis=1) / side).astype(np.float32)[:, None]
    changed = labels.copy()
    changed[..., CORNERS] /= scale[..., None]
    changed[..., SCALE] *= scale
    return changed


def presence(labels: np.ndarray) -> np.ndarray:
    """Which classes each image has, (N, K) bool, of labels (N, M, 6)."""
    count = int(labels[..., CLASS].max(initial=0)) + 1
    return (labels[..., CLASS, None] == np.arange(max(1, count))).any(axis=1)


def detected(rows: np.ndarray, classes: list[str], width: int, height: int) -> Detections:
    """The objects that rows (M, 6) of detections hold, cut off at the borders of their image.

    Args:
        rows: Detections in pixels of the image.
        classes: Names of the classes.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    >>> detected(np.array([[1, 2, 2, 9, 6, 0.5], [0, 9, 9, 9, 12, 0.4], [-1.0] * 6]), ["ant", "bee"], 8, 8)[0]
    ['bee']
    """
    boxes = clipped(rows[:, :SCORE], width, height)
    kept = there(rows) & (boxes[:, 3:5] > boxes[:, 1:3]).all(axis=1)  # the network also sees grey beside it
    labels = rows[kept, CLASS].astype(np.int64)
    scores, corners = rows[kept, SCORE].astype(np.float32), boxes[kept, CORNERS].astype(np.float32)
    names = [classes[label] for label in labels.tolist()]
    return Detections(names, labels, scores, corners, (width, height))


def clipped(boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """Boxes (n, 5) of class and corners, cut off at the borders of their image."""
    limits = np.array([np.inf, width, height, width, height])
    return np.clip(boxes, [-np.inf, 0, 0, 0, 0], limits)


def degenerate(boxes: np.ndarray) -> np.ndarray:
    """Which boxes (n, 5) of class and corners are too thin to hold anything, or not finite, (n,) bool.

    >>> degenerate(np.array([[0, 5, 5, 5, 9], [0, 5, 5, 6, 9], [0, 9, 5, 6, 9]])).tolist()
    [True, False, True]
    """
    sides = boxes[:, 3:5] - boxes[:, 1:3]
    return np.asarray(~(sides >= LEAST).all(axis=1) | ~np.isfinite(boxes).all(axis=1))
