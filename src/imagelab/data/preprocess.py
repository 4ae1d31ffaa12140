"""Turn decoded pixels into the network's input: size, channels, normalisation. Stored with the weights."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.data.resize import GREY, covered, letterboxed
from imagelab.data.signals import Column, needed
from imagelab.problem import Problem

Box = list[float]  # left, top, right, bottom
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: grey as the eye sees it


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """What happens to an image between the decoder and the network, in training and in inference.

    Args:
        size: Side of the network's input, in pixels.
        channels: Channels of the network's input, 1 or 3.
        mean: Mean of each channel, in [0, 1].
        std: Standard deviation of each channel, in [0, 1].
        resize: Short side before the centre square of `size` pixels is cut out, in pixels, >= size.
        interpolation: Interpolation of images that are resized on the device.
        whole: Whether the whole image is shrunk to `size` and padded, instead of its centre square; older
            cards do not have it.
        hidden: Boxes that the network does not see, as shares of the centre square; older cards have none.
        signals: What the network sees besides the image (`data/signals.py`); older cards have none.

    >>> grey = Preprocess(size=1, channels=1, mean=[0.5], std=[0.25], resize=1, interpolation="bilinear")
    >>> grey(torch.tensor([[[[255]]]], dtype=torch.uint8)).item()
    2.0
    """

    size: int
    channels: int
    mean: list[float]
    std: list[float]
    resize: int
    interpolation: Literal["nearest", "bilinear", "bicubic"]
    whole: bool = False
    hidden: list[Box] = field(default_factory=list)
    signals: list[Column] = field(default_factory=list)

    def __call__(self, images: Tensor, signals: Tensor | None = None) -> Tensor:
        """(B, C, H, W) uint8, (B, S) float -> (B, channels + S, size, size) float32, normalised."""
        pixels = self.normalise(self._square(self.hide(with_channels(images.float(), self.channels))))
        return self.join(pixels, signals)

    def join(self, pixels: Tensor, signals: Tensor | None) -> Tensor:
        """Put signals (B, S), as constant planes, behind the channels of normalised images (B, C, H, W).

        Raises:
            Problem: The network needs signals, and there are none.
        """
        if not self.signals:
            return pixels
        if signals is None:
            raise Problem(needed(self.signals))
        planes = signals.to(pixels)[:, :, None, None].expand(-1, -1, *pixels.shape[2:])
        return torch.cat([pixels, planes], dim=1)

    def scaled(self, images: Tensor, short: int) -> Tensor:
        """(B, C, H, W) uint8 -> (B, channels, H', W') float32 in [0, 255]; min(H', W') is `short`."""
        whole = self.hide(with_channels(images.float(), self.channels))
        return _scaled(whole, short, self.interpolation).clamp(0, 255)

    def fitted(self, images: Tensor, side: int) -> Tensor:
        """(B, C, H, W) uint8 -> whole images in squares, (B, channels, side, side) float32 in [0, 255]."""
        return replace(self, size=side)._square(with_channels(images.float(), self.channels))

    def hide(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 255] -> the same with the mean colour in the hidden boxes."""
        boxes = self._boxes(*images.shape[-2:])
        images = images.clone() if boxes else images
        for top, left, bottom, right in boxes:
            images[..., top:bottom, left:right] = images.new_tensor(self._fill(images.shape[1]))[
                :, None, None
            ]
        return images

    def hide_photo(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> the same with the mean colour in the hidden boxes."""
        boxes = self._boxes(*photo.shape[:2])
        photo = photo.copy() if boxes else photo
        for top, left, bottom, right in boxes:
            photo[top:bottom, left:right] = np.array(self._fill(3), np.uint8)
        return photo

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, channels, H, W) float in [0, 255] -> normalised, in place."""
        scale, shift = _affine(tuple(self.mean), tuple(self.std), pixels.device)
        height, width = pixels.shape[-2:]
        if self.channels > 1 and pixels.is_contiguous(memory_format=torch.channels_last):
            # The layout of photos. Whole rows are four times as fast on a CPU as single pixels.
            rows = pixels.permute(0, 2, 3, 1).view(len(pixels), height, -1)
            rows.mul_(scale.repeat(width)).add_(shift.repeat(width))
        else:
            pixels.mul_(scale[:, None, None]).add_(shift[:, None, None])
        return pixels

    def of(self, images: Tensor, given: "Preprocess") -> Tensor:
        """Images (B, C, H, W) float that another preprocessing has normalised, as this one has them."""
        images, planes = images[:, : given.channels], images[:, given.channels :]
        signals = planes.mean(dim=(2, 3)) if self.signals == given.signals else None
        same = (given.channels, given.mean, given.std) == (self.channels, self.mean, self.std)
        if same and given.size == self.size:
            return self.join(images, signals)
        scale, shift = _affine(tuple(given.mean), tuple(given.std), images.device)
        pixels = (images.float() - shift[:, None, None]) / scale[:, None, None]
        pixels = with_channels(pixels, self.channels)
        if given.size != self.size:
            sides = (self.size, self.size)
            pixels = functional.interpolate(pixels, sides, mode="bilinear", antialias=True)
        return self.join(self.normalise(pixels), signals)

    def denormalise(self, images: Tensor) -> Tensor:
        """(B, channels, size, size) float, with or without planes of signals -> uint8, for display."""
        scale, shift = _affine(tuple(self.mean), tuple(self.std), images.device)
        pixels = (images[:, : self.channels].float() - shift[:, None, None]) / scale[:, None, None]
        return pixels.round_().clamp_(0, 255).to(torch.uint8)

    def centre(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (size, size, 3) uint8: resize the short side to `resize`, crop the centre."""
        if self.whole:
            return letterboxed(photo, self.size)
        first = (self.resize - self.size) // 2
        return covered(photo, self.resize, self.resize)[first : first + self.size, first : first + self.size]

    def scale(self, height: int, width: int) -> float:
        """Pixels of an image of this size per pixel of the network's input, if that shows the whole image."""
        return max(height, width) / self.size

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Preprocess":
        """The inverse of `to_dict`.

        Raises:
            Problem: If the data lack a number, or have one that is not known.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise Problem(f"The card of the network does not describe its input ({error}).") from error

    def _boxes(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Top, left, bottom and right of the hidden boxes in images of this size, in pixels."""
        cut = 1.0 if height == width == self.size else self.size / self.resize
        side = cut * min(height, width)

        def place(share: float, length: int) -> int:
            inner = round((length - side) / 2 + share * side)
            return 0 if share <= 0 else length if share >= 1 else inner

        return [
            (place(top, height), place(left, width), place(bottom, height), place(right, width))
            for left, top, right, bottom in self.hidden
        ]

    def _fill(self, channels: int) -> list[float]:
        """The mean colour in [0, 255], whole, so that it is the same in pixels of either type."""
        mean = self.mean if len(self.mean) == channels else [sum(self.mean) / len(self.mean)] * channels
        return [float(round(255 * value)) for value in mean]

    def _square(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-1] == pixels.shape[-2] == self.size:
            return pixels
        if self.whole:
            return self._padded(pixels)
        pixels = _scaled(pixels, self.resize, self.interpolation)
        inner = (self.resize - self.size) // 2  # crops twice, as `centre` does: other halves would be rounded
        top, left = ((side - self.resize) // 2 + inner for side in pixels.shape[-2:])
        return pixels[..., top : top + self.size, left : left + self.size].clamp(0, 255)  # bicubic overshoots

    def _padded(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        short = max(1, round(self.size * min(height, width) / max(height, width)))
        pixels = _scaled(pixels, short, self.interpolation).clamp(0, 255)[..., : self.size, : self.size]
        right, below = self.size - pixels.shape[-1], self.size - pixels.shape[-2]
        return functional.pad(pixels, (0, right, 0, below), value=GREY)


def resize_of(size: int) -> int:
    """The short side before a centre crop of `size` pixels: as usual for photos, the crop is 7/8 of it.

    >>> resize_of(224)
    256
    """
    return round(size / 0.875)


def _scaled(pixels: Tensor, short: int, mode: str) -> Tensor:
    height, width = pixels.shape[-2:]
    shorter = min(height, width)
    if shorter == short:
        return pixels
    tall, wide = (max(short, round(side * short / shorter)) for side in (height, width))
    smooth = {} if mode == "nearest" else {"antialias": True}
    return functional.interpolate(pixels, (tall, wide), mode=mode, **smooth)


def with_channels(pixels: Tensor, channels: int) -> Tensor:
    """(B, C, H, W) float -> (B, channels, H, W): grey as the eye sees it, or grey in three channels."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.repeat(1, 3, 1, 1)
    return (pixels * pixels.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


@lru_cache(maxsize=64)
def _affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale and shift, (C,): pixels * scale + shift == (pixels / 255 - mean) / std."""
    if not all(math.isfinite(value) and value > 0 for value in std):
        raise ValueError(f"std must be > 0 for every channel, got {std}")
    scale = 1 / (255 * np.array(std))
    shift = -np.array(mean) / np.array(std)
    with torch.inference_mode(False):  # cached: training must be able to use it after evaluation made it
        made = torch.tensor(np.stack([scale, shift]), dtype=torch.float32, device=device)
    return made[0], made[1]
