"""Apply the fourteen changes that `randaugment` and `trivial` draw from, with one strength per image.

Source: Cubuk et al. 2019, https://arxiv.org/abs/1909.13719, section 3; each equals torchvision's (bilinear),
https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.RandAugment.html.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from imagelab.augment.chosen import change_chosen
from imagelab.augment.rotate import rotated
from imagelab.augment.warp import places, warp


class Widest(NamedTuple):
    """The changes at the strongest level.

    shear: Tangent of the angle. translate: Pixels, or a share of the side if below 1. rotate: Degrees.
    blend: Share of brightness, colour, contrast and sharpness added or removed. bits: Dropped per channel.
    """

    shear: float
    translate: float
    rotate: float
    blend: float
    bits: int


STRONGEST = 30
Change = Callable[..., Tensor]


def changed(images: Tensor, which: Tensor, level: Tensor, widest: Widest) -> Tensor:
    """Change each image by its own change and level.

    Args:
        images: (B, C, H, W) uint8, grey or RGB.
        which: (B,) int64, indices into `CHANGES`.
        level: (B,) int64 from -30 to 30, the strength; its sign matters for changes with two directions.
        widest: Changes at the levels -30 and 30.
    """
    result = images.clone()
    for number, change in enumerate(CHANGES):
        with_level = partial(change, widest=widest)
        result = change_chosen(result, which == number, with_level, level[:, None, None])
    return result


def _identity(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    return images


def _shear_x(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    x, y = places(images)
    return warp(images, x + _amount(level, widest.shear) * (y + images.shape[-2] / 2), y, "zero")


def _shear_y(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    x, y = places(images)
    return warp(images, x, y + _amount(level, widest.shear) * (x + images.shape[-1] / 2), "zero")


def _translate_x(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    x, y = places(images)
    return warp(images, x - _shift(level, widest, images.shape[-1]), y, "zero")


def _translate_y(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    x, y = places(images)
    return warp(images, x, y - _shift(level, widest, images.shape[-2]), "zero")


def _shift(level: Tensor, widest: Widest, side: int) -> Tensor:
    return _amount(level, widest.translate * (side if widest.translate < 1 else 1)).trunc()


def _rotate(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    return rotated(images, _amount(level, widest.rotate)[:, 0, 0], "zero")


def _brightness(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    return _away_from(images.new_zeros(()), images, level, widest)


def _colour(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    return _away_from(_grey(images), images, level, widest)


def _contrast(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    return _away_from(_grey(images).mean((1, 2, 3), keepdim=True), images, level, widest)


def _sharpness(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    channels, height, width = images.shape[1:]
    if min(height, width) < 3:
        return images
    kernel = F.pad(torch.full((1, 1), 5.0, device=images.device), [1] * 4, value=1) / 13
    smooth = images.float()
    inside = F.conv2d(smooth, kernel.expand(channels, 1, 3, 3), groups=channels).round_()
    smooth[..., 1:-1, 1:-1] = inside
    return _away_from(smooth, images, level, widest)


def _posterize(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    dropped = (level.abs() * widest.bits / STRONGEST).round()
    return images & (256 - 2**dropped).byte()[:, None]


def _solarize(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    darkest = torch.linspace(1, 0, STRONGEST + 1, device=level.device)[level.abs()][:, None] * 255
    return torch.where(images >= darkest, 255 - images, images)


def _autocontrast(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    from torchvision.transforms.v2.functional import autocontrast

    return autocontrast(images)


def _equalize(images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    from torchvision.transforms.v2.functional import equalize

    return equalize(images)


def _away_from(anchor: Tensor, images: Tensor, level: Tensor, widest: Widest) -> Tensor:
    """Move images away from the anchor, or towards it if the level is below 0."""
    more = _amount(level, widest.blend)[:, None]
    return (images * (1 + more) - anchor * more).clamp_(0, 255).byte()


def _amount(level: Tensor, widest: float) -> Tensor:
    steps = torch.linspace(0, widest, STRONGEST + 1, device=level.device)
    return steps[level.abs()] * level.sign()


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images.float()
    red, green, blue = images.split(1, dim=1)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


CHANGES: tuple[Change, ...] = (
    _identity,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _rotate,
    _brightness,
    _colour,
    _contrast,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
