"""Test-time augmentation: which views of an image a network is shown, to average what it says of them.

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
    """A square of an image whose short side was resized.

    short: That side, in pixels. side: of the square, in pixels. place: where it is cut out; "own": where the
    preprocessing cuts. mirrored: whether the image was mirrored before; of "own", the same square is.
    """

    short: int
    side: int
    place: Place
    mirrored: bool

    def box(self, height: int, width: int) -> tuple[int, int]:
        """The first row and column of the square in an image of this size, mirrored already if it is to be.

        >>> View(33, 32, "bottom_right", False).box(33, 40), View(33, 32, "centre", False).box(33, 37)
        ((1, 8), (0, 2))
        """
        down, right = height - self.side, width - self.side
        if self.place == "own":
            inside = (self.short - self.side) // 2
            top, left = ((whole - self.short) // 2 + inside for whole in (height, width))
            return top, right - left if self.mirrored else left
        if self.place == "centre":
            return round(down / 2), round(right / 2)  # as torchvision's ten_crop has it: halves to even
        return down * self.place.startswith("bottom"), right * self.place.endswith("right")


@dataclass(frozen=True, kw_only=True)
class Tta(ABC):
    """A way to look at an image several times."""

    @abstractmethod
    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        """The views of an image, those of one scale together.

        Args:
            preprocess: Of the network.
            takes: Whether the network takes square images with this side.

        Raises:
            Problem: A scale is too small for the network.
        """


@dataclass(frozen=True, kw_only=True)
class Flip(Tta):
    """The image as the preprocessing makes it, and its mirror image."""

    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        return [View(preprocess.resize, preprocess.size, "own", mirrored) for mirrored in (False, True)]


@dataclass(frozen=True, kw_only=True)
class TenCrop(Tta):
    """At each scale the four corners and the centre, as large as the network's input, of it and its mirror.

    Args:
        scales: The short side that the image is resized to: a whole number in pixels, a fraction as the
            multiple of the side of the network's input; no smaller than that.
    """

    scales: list[int | float]

    def views(self, preprocess: Preprocess, takes: Takes) -> list[View]:
        size = preprocess.size
        sides = pixels(self.scales, size)
        expect_room(self.scales, sides, size)
        return [
            View(s, size, place, mirrored) for s in sides for mirrored in (False, True) for place in CROPS
        ]


@dataclass(frozen=True, kw_only=True)
class MultiScale(Tta):
    """The whole centre square at each scale; of networks that take one size only, a crop of that size.

    Args:
        scales: As of TenCrop; for networks that take any size smaller ones than their own, too.
        mirror: Whether the mirror image is looked at as well.
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
    """The one view of a network that is shown each image once."""
    return [View(preprocess.resize, preprocess.size, "own", False)]


def pixels(scales: list[int | float], size: int) -> list[int]:
    """Scales -> short sides in pixels, each once.

    >>> pixels([1.0, 1.143, 1.714, 2.143, 2.857], 224), pixels([28, 1.5], 28)
    ([224, 256, 384, 480, 640], [28, 42])

    Raises:
        Problem: There is none, or one is not above 0.
    """
    if not scales or min(scales) <= 0:
        raise Problem(
            f"tta.scales: wants sides above 0, in pixels (32) or as multiples of the network's input (1.5), "
            f"got {scales}"
        )
    return list(dict.fromkeys(one if isinstance(one, int) else max(1, round(one * size)) for one in scales))


def expect_room(scales: list[int | float], sides: list[int], size: int) -> None:
    """Raise a Problem where an image is too small to cut the network's input out of it."""
    if sides and min(sides) < size:
        raise Problem(
            f"tta.scales: {scales} is {min(sides)} pixels at its smallest, the network's input {size}; "
            f"say {size} or more, or 1.0 or more for a multiple of it"
        )
