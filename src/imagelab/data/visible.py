"""Choose what of a picture the network sees, in training, evaluation, prediction and export alike.

Whatever tells the classes apart in the training images only (a colour cast, a stamp in a corner, a border) is
left out of the input.
"""

from dataclasses import dataclass, replace
from typing import Literal

from imagelab.data.preprocess import Box, Preprocess
from imagelab.problem import Problem

CHANNELS = {"grey": 1, "colour": 3}


@dataclass(frozen=True, kw_only=True)
class Visible:
    """What the network sees.

    Args:
        channels: Colours of its input; None: those of the images, or of the initial weights.
        mask: Boxes that are hidden, [left, top, right, bottom] as shares of the centre square that is seen
            of an image that is not augmented; a box up to 0 or 1 reaches to the border of the picture.
        crop: Share of the short side that the centre square has; None: 7/8 for photos, else 1.
    """

    channels: Literal["grey", "colour"] | None
    mask: list[Box] | None
    crop: float | None

    def stored(self, size: int | None) -> int | None:
        """The side that pictures need in memory for an input of this size, in pixels."""
        return size and round(size / (self.crop or 1))

    def side(self, short: int, size: int | None) -> int:
        """The side of the network's input, in pixels, for images in memory.

        Args:
            short: Short side of the images.
            size: Requested side, if any.

        Raises:
            Problem: The images have that side already, so that there is nothing to crop.
        """
        if self.crop and size == short:
            raise Problem(f"data.crop: the images have data.size={size} already; leave data.size out")
        return size or round(short * (self.crop or 1))

    def seen(self, geometry: Preprocess) -> Preprocess:
        """A preprocessing with these channels, hidden boxes and this crop."""
        if self == EVERYTHING:
            return geometry
        if geometry.whole and (self.mask or self.crop):
            key = "mask" if self.mask else "crop"
            raise Problem(f"data.{key}: for boxes the network sees whole images; leave it out")
        resize = round(geometry.size / self.crop) if self.crop else geometry.resize
        found = replace(geometry, resize=resize, hidden=self.mask or [])
        count = CHANNELS[self.channels] if self.channels else geometry.channels
        if count == geometry.channels:
            return found
        mean, std = (sum(values) / len(values) for values in (geometry.mean, geometry.std))
        return replace(found, channels=count, mean=[mean] * count, std=[std] * count)


EVERYTHING = Visible(channels=None, mask=None, crop=None)


def visible_of(knobs: dict[str, object]) -> Visible:
    """Take what concerns the network's view out of the keys of a data set."""
    return Visible(**{key: knobs.pop(key) for key in ("channels", "mask", "crop")})  # type: ignore[arg-type]
