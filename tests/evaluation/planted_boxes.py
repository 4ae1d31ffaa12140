# room: detection
"""A network that needs no training: it finds the red and the green block that a picture has at most."""

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.box_labels import NO_BOX
from imagelab.data.preprocess import Preprocess
from imagelab.data.reader import Reader
from imagelab.predictor import Predictor
from imagelab.task.detect import Detect

CLASSES = ["red", "green"]
FAINT = 0.05  # of the brightest: what is left where a pixel is hardly covered
SURE = (0.9, 0.6)  # how sure it is of a red block and of a green one


class Finder(nn.Module):
    """Maps images (B, 3, H, W) in [0, 1] to detections (B, 600), edges to a fraction of a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(SURE))

    def forward(self, images: Tensor) -> Tensor:
        rows = images.new_zeros(len(images), 100, 6)
        rows[..., 0] = NO_BOX
        for place, image in enumerate(images):
            found = [(k, *box) for k in range(2) if (box := edges(image[k] - image[2]))]
            for row, (kind, *box) in enumerate(found):
                rows[place, row] = torch.tensor([kind, *box, self.scores[kind]])
        return rows.flatten(1)


def edges(light: Tensor) -> list[float]:
    """Left, top, right and bottom of what is lit, or nothing."""
    if light.max() < 0.5:
        return []
    found: list[list[float]] = []
    for axis in (0, 1):
        covered = light.amax(dim=axis).clamp(0, 1)
        there = (covered > FAINT).nonzero()[:, 0]
        first, last = int(there[0]), int(there[-1])
        found.append([first + 1 - float(covered[first]), last + float(covered[last])])
    (left, right), (top, bottom) = found
    return [left, top, right, bottom]


def finder(size: int = 64, shape: list[int] | None = None) -> Predictor:
    """The network for inputs of `size` pixels.

    Args:
        size: Side of the input.
        shape: Height and width of the run's images in memory; None: they were files.
    """
    preprocess = Preprocess(
        size=size,
        channels=3,
        mean=[0.0] * 3,
        std=[1.0] * 3,
        resize=size,
        interpolation="bilinear",
        whole=True,
    )
    reader = Reader(least=2 * size, shape=shape)
    return Predictor(
        net=Finder(), classes=CLASSES, preprocess=preprocess, reader=reader, task=Detect(classes=CLASSES)
    )


def painted(width: int, height: int, boxes: dict[str, tuple[int, int, int, int]]) -> np.ndarray:
    """A black picture (height, width, 3) uint8 with these blocks: left, top, right, bottom."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for name, (left, top, right, bottom) in boxes.items():
        pixels[top:bottom, left:right, CLASSES.index(name)] = 255
    return pixels
