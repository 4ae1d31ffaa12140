"""Random erasing: hide a rectangle of random size and shape, so that no single part decides.

Source: Zhong et al. 2017, https://arxiv.org/abs/1708.04896, section 3.2 and algorithm 1; sides are drawn as
in torchvision's RandomErasing: the first of ten tries that fits into the image.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from imagelab.randomness import uniform

TRIES = 10


class RandomErasing:
    """Erase a rectangle of an image.

    Args:
        p: Share of images that lose a rectangle, in [0, 1].
        scale: Smallest and largest area of the rectangle as a share of the image, in (0, 1].
        ratio: Smallest and largest width / height of the rectangle, drawn uniformly on a log scale.
        fill: Content of the rectangle: a random value per pixel and channel, the mean colour of the image,
            zero, or a grey value from 0 to 255.
    """

    def __init__(
        self,
        *,
        p: float,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        fill: Literal["noise", "mean", "zero"] | float,
    ) -> None:
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.fill = fill

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        height, width = images.shape[-2:]
        tall, wide = self._sides(keys, height, width)
        chance, down, right = uniform(keys, "random_erasing", 3).unbind(1)
        rows = _covered((down * (height - tall + 1)).long(), tall, height)
        columns = _covered((right * (width - wide + 1)).long(), wide, width)
        rows &= (chance < self.p)[:, None]
        hole = rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(hole, self._painted(images, keys), images)

    def transform(self, size: int) -> object:
        """A function of one (C, H, W) uint8 photo that draws from torch's generator; any size."""
        return self._one

    def _one(self, photo: Tensor) -> Tensor:
        key = torch.randint(-(2**63), 2**63 - 1, (1,))
        return self.batch(photo[None], key)[0]

    def _sides(self, keys: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Height and width of each rectangle, (B,) int64; zero if none of the tries fits."""
        area, shape = uniform(keys, "random_erasing sides", 2 * TRIES).chunk(2, dim=1)
        area = height * width * (self.scale[0] + area * (self.scale[1] - self.scale[0]))
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        stretch = torch.exp((low + shape * (high - low)) / 2)
        tall = (area.sqrt() / stretch).round().clamp(min=1)
        wide = (area.sqrt() * stretch).round().clamp(min=1)
        fits = (tall <= height) & (wide <= width)
        first = fits.byte().argmax(dim=1, keepdim=True)
        sides = torch.cat([tall.gather(1, first), wide.gather(1, first)], dim=1) * fits.gather(1, first)
        tall, wide = sides.long().unbind(1)
        return tall, wide

    def _painted(self, images: Tensor, keys: Tensor) -> Tensor:
        """Content of the rectangles: uint8, broadcastable to (B, C, H, W)."""
        if self.fill == "noise":
            return _noise(keys, images[0].numel()).reshape(images.shape)
        if self.fill == "mean":
            return images.float().mean((2, 3), keepdim=True).round().byte()
        return images.new_tensor(0 if self.fill == "zero" else round(float(self.fill)))


def _noise(keys: Tensor, count: int) -> Tensor:
    """Uniform random bytes: (B,) -> (B, count) uint8."""
    draws = uniform(keys, "random_erasing noise", -(-count // 3)) * 2**24
    # Each draw has 24 bits, the lower three bytes of an integer: three times as fast as a draw per byte.
    return draws.int().view(torch.uint8).view(len(keys), -1, 4)[..., :3].flatten(1)[:, :count]


def _covered(first: Tensor, length: Tensor, side: int) -> Tensor:
    """Whether the rectangle covers each place along one axis: (B,) twice -> (B, side) bool."""
    places = torch.arange(side, device=first.device)
    return (places >= first[:, None]) & (places < (first + length)[:, None])
