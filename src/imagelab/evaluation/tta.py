"""Define the views of an image for test-time augmentation, whose predictions are averaged.

Source: Krizhevsky et al. 2012, https://papers.nips.cc/paper/4824, section 4.1 (ten crops); He et al. 2016,
https://arxiv.org/abs/1512.03385, section 3.4 (scales 224, 256, 384, 480, 640).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from imagelab.data.preprocess import Preprocess
from imagelab.problem import Problem

Place = Literal["own", "top_left", "top_right", "bottom_left", "bottom_right", "centre"]
CROPS: tuple[Place, ...] = ("top_left", "top_right", "bottom_left", "bottom_right", "centre")
Takes = Callable[[int], bool]


class View(NamedTuple):
    """A square crop of a resized image.

    short: Short side of the resized image, in pixels. side: Side of the crop, in pixels. place: Position of
    the crop; "own": as in the preprocessing. mirrored: Whether the image is mirrored first ("own": the crop).
    """

    short: int
    side: int
    place: Place
    mirrored: bool

    def box(self, height: int, width: int) -> tuple[int, int]:
        """The first row and column of the crop in an image of this size, after mirroring.

        >>> View(33, 32, "bottom_right", False).box(33, 40), View(33, 32, "centre", False).box(33, 37)
        ((1, 8), (0, 2))
        """
        down, right = height - self.side, width - self.side
        if self.place == "own":
            inside = (self.short - self.side) // 2
            top, left = ((whole - self.short) // 2 + inside for whole in (height, width))
            return top, right - left if self.mirrored else left
        if self.place == "centre":
            return round(down / 2), round(right / 2)  # as torchvision's ten_crop: halves are rounded to even
        return down * self.place.startswith("bottom"), right * self.place.endswith("right")


@dataclass(frozen=True, kw_only=True)
class Tta(ABC):
    """A choice of views of an image."""

    @abstractmethod
    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        """The views of an image, grouped by scale.

        Args:
            preprocess: Preprocessing of the network.
            takes: Function that tells whether the network accepts square images with a side.

        Raises:
            Problem: If a scale is too small for the network.
        """


@dataclass(frozen=True, kw_only=True)
class Flip(Tta):
    """The preprocessed image and its mirror image."""

    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        return [View(preprocess.resize, preprocess.size, "own", mirrored) for mirrored in (False, True)]


@dataclass(frozen=True, kw_only=True)
class TenCrop(Tta):
    """At each scale, crops of the network's input size at the four corners and the centre, also mirrored.

    Args:
        scales: Short sides that the image is resized to, at least the network's input: integers in pixels,
            fractions as multiples of the side of the network's input.
    """

    scales: list[int | float]

    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        if preprocess.whole:
            raise Problem("tta: crops cut the objects whose boxes are found; set tta=flip or tta=multi_scale")
        size = preprocess.size
        sides = pixels(self.scales, size)
        expect_room(self.scales, sides, size)
        return [
            View(s, size, place, mirrored) for s in sides for mirrored in (False, True) for place in CROPS
        ]


@dataclass(frozen=True, kw_only=True)
class MultiScale(Tta):
    """The full centre square at each scale; for networks with a fixed input size, a crop of that size.

    Args:
        scales: As in TenCrop; networks of any input size also accept smaller ones.
        mirror: Whether to add the mirror images.
    """

    scales: list[int | float]
    mirror: bool

    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        size = preprocess.size
        sides = pixels(self.scales, preprocess.size)
        cut = {side: side if side == size or takes(side) else size for side in sides}
        expect_room(self.scales, [side for side in sides if cut[side] == size], size)
        mirrors = (False, True) if self.mirror else (False,)
        return [View(side, cut[side], "own", mirrored) for side in sides for mirrored in mirrors]


def plain(preprocess: Preprocess) -> list[View]:
    """The single view used without test-time augmentation."""
    return [View(preprocess.resize, preprocess.size, "own", False)]


def pixels(scales: list[int | float], size: int) -> list[int]:
    """Convert scales to short sides in pixels, without duplicates.

    >>> pixels([1.0, 1.143, 1.714, 2.143, 2.857], 224), pixels([28, 1.5], 28)
    ([224, 256, 384, 480, 640], [28, 42])

    Raises:
        Problem: If there is none, or one is not above 0.
    """
    if not scales or min(scales) <= 0:
        raise Problem(
            f"tta.scales: wants sides above 0, in pixels (32) or as multiples of the network's input (1.5), "
            f"got {scales}"
        )
    return list(dict.fromkeys(one if isinstance(one, int) else max(1, round(one * size)) for one in scales))


def expect_room(scales: list[int | float], sides: list[int], size: int) -> None:
    """Raise a Problem if a scale is too small for the network's input."""
    if sides and min(sides) < size:
        raise Problem(
            f"tta.scales: wants at least the network's input of {size} pixels, got {scales} "
            f"({min(sides)} pixels); use {size} or more, or multiples of 1.0 or more"
        )
