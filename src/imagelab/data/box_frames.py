# room: detection
"""Give the boxes of a data set the coordinates of the network's input."""

from collections.abc import Mapping

import numpy as np

from imagelab.box_labels import framed
from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.data.files import Files
from imagelab.data.labels import kind_of
from imagelab.data.memory import read_sizes


def frame_boxes(stored: Mapping[str, Images], origin: Mapping[str, Images], side: int) -> dict[str, Images]:
    """The images as stored, with their boxes, if they have any, in pixels of squares that they are shrunk to.

    Args:
        stored: Images by split, as they are kept during a run.
        origin: The same images as they came from their source, which the boxes belong to.
        side: Side of the network's input in pixels.
    """
    if kind_of(origin["train"].labels) != "boxes":
        return {**stored}
    return {
        split: images.relabel(framed(images.labels, _sizes(origin[split]), side))
        for split, images in stored.items()
    }


def _sizes(images: Images) -> np.ndarray:
    """Width and height of each image in pixels, (N, 2)."""
    if isinstance(images, Arrays):
        return np.tile(images.images.shape[:1:-1], (len(images), 1))
    assert isinstance(images, Files)
    return read_sizes(images)
