"""Read a picture file into pixels exactly as a run read the images that its network was evaluated on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays
from imagelab.data.chain import Chain
from imagelab.data.decode import MOST_PIXELS, decode_bytes, decode_sized
from imagelab.data.memory import SPARE
from imagelab.data.preprocess import Preprocess
from imagelab.data.resize import covered, letterboxed, resized, shrunk_size
from imagelab.data.shrunk import Shrunk

Size = tuple[int, int]  # width and height in pixels


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Brings every picture into the form of a run's images.

    Args:
        least: Smallest short side that a file is decoded to, in pixels.
        shape: Height and width of the run's images in memory, in pixels; None: photos of any size, cropped
            to the size of the network's input.
        max_pixels: Largest number of pixels of a picture; older cards do not have it.
        shrinks: Whether the run's photos were shrunk on disk before they were cropped; older cards do not
            have it.
    """

    least: int
    shape: list[int] | None
    max_pixels: int = MOST_PIXELS
    shrinks: bool = False

    def file(self, path: str | Path, preprocess: Preprocess) -> np.ndarray:
        """The pixels of a picture file, (H, W, 3) uint8, the same H and W for all.

        Raises:
            Unreadable: The file is not a picture, or damaged.
        """
        return self.sized(path, preprocess)[0]

    def sized(self, path: str | Path, preprocess: Preprocess) -> tuple[np.ndarray, Size]:
        """The pixels as `file` returns them, and width and height of the picture in the file.

        Raises:
            Unreadable: As in `file`.
        """
        return self._formed(*decode_sized(path, self.least, self.max_pixels), preprocess)

    def content(self, data: bytes, name: str, preprocess: Preprocess) -> tuple[np.ndarray, Size]:
        """As `sized`, from the content of a file.

        Raises:
            Unreadable: As in `file`; the message begins with `name`.
        """
        return self._formed(*decode_bytes(data, name, self.least, self.max_pixels), preprocess)

    def image(self, pixels: np.ndarray, preprocess: Preprocess) -> np.ndarray:
        """(H, W, 3) uint8 of any size -> (H, W, 3) uint8, the same H and W for all."""
        if self.shape is None:
            return preprocess.centre(pixels)
        return letterboxed(pixels, *self.shape) if preprocess.whole else covered(pixels, *self.shape)

    def scale(self, size: Size, preprocess: Preprocess) -> float:
        """Pixels of a picture per pixel of what `image` makes of it, if that shows the whole picture."""
        height, width = self.shape or [preprocess.size] * 2
        return max(size[0] / width, size[1] / height)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return asdict(self)

    def _formed(self, pixels: np.ndarray, size: Size, preprocess: Preprocess) -> tuple[np.ndarray, Size]:
        if self.shrinks:  # the sides are rounded as those of the whole picture were
            width, height = shrunk_size(*size, preprocess.resize)
            pixels = resized(pixels, height, width)
        return self.image(pixels, preprocess), size


def reader_of(images: Images, preprocess: Preprocess, max_pixels: int = MOST_PIXELS) -> Reader:
    """The reader that gives pictures the form of a run's stored images."""
    if isinstance(images, Arrays):
        height, width = (int(side) for side in images.images.shape[-2:])
        return Reader(least=SPARE * min(height, width), shape=[height, width], max_pixels=max_pixels)
    shrinks = isinstance(images.parts[0] if isinstance(images, Chain) else images, Shrunk)
    least = SPARE * preprocess.resize if shrinks else preprocess.resize
    return Reader(least=least, shape=None, max_pixels=max_pixels, shrinks=shrinks)
