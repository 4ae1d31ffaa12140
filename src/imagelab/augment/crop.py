"""Crop: take a random window, so that the network relies neither on the place nor on the size of an object.

Source: batches: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2 (pad, then crop back);
photos: Szegedy et al. 2015, https://arxiv.org/abs/1409.4842, section 6 (random area and aspect, then resize);
boxes: Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 2.2 (a window by its overlap with boxes).
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from imagelab.augment.box_crop import DRAWS, BoxCrop, cut_windows, moved_corners  # room: detection
from imagelab.augment.boxes import placed  # room: detection
from imagelab.augment.limits import pixels
from imagelab.augment.photo_crop import PhotoCrop
from imagelab.box_labels import CORNERS  # room: detection
from imagelab.problem import Problem
from imagelab.randomness import uniform


class Crop:
    """Take a random window: shifted (images in memory), or of random area and aspect (photos, boxes).

    Args:
        pad: Border added on each side of images in memory: pixels, or a share of the side if below 1.
        border: Content of that border: the mirrored image, or zeros.
        size: Side of the window in pixels; None: that of the image in memory, that of the network's input
            for photos.
        scale: Smallest and largest area of the window as a share of the photo or of the image with boxes, in
            (0, 1].
        ratio: Smallest and largest width / height of the window there.
        overlaps: Images with boxes: least IoU of the window with at least one box, one drawn per image.
    """

    # room: detection
    follows_boxes = True
    reads_boxes = True
    # end

    def __init__(
        self,
        *,
        pad: float,
        border: Literal["reflect", "zero"],
        size: int | None,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        overlaps: Sequence[float],
    ) -> None:
        self.pad = pad
        self.border = border
        self.size = size
        self.scale, self.ratio = (scale[0], scale[1]), (ratio[0], ratio[1])
        self.overlaps = [*overlaps]

    def fits(self, size: int) -> str | None:
        """Why images of this side (in pixels) cannot be cropped, as a sentence; None if they can."""
        pad = pixels(self.pad, size)
        if self.size is not None and self.size > size + 2 * pad:
            return (
                f"augment.crop.size={self.size} is larger than the image: {size} pixels and {pad} of padding "
                f"on each side make {size + 2 * pad}; use a smaller window or a larger data.size"
            )
        if self.border == "reflect" and pad >= size:
            return (
                f"augment.crop.pad={self.pad:g} mirrors {pad} pixels of an image of {size}; use less than "
                "the image, or augment.crop.border=zero"
            )
        return None

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> (B, C, size, size)."""
        height, width = images.shape[-2:]
        if problem := self.fits(min(height, width)):
            raise Problem(problem)
        return _windows(self._bordered(images), *self._window(keys, height, width))

    # room: detection
    def cut_boxes(self, images: Tensor, labels: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) uint8 and labels (B, M, 6) -> those of a window, enlarged to the image."""
        height, width = images.shape[-2:]
        tall, wide = self.size or height, self.size or width
        crop = BoxCrop(self.overlaps, self.scale, self.ratio)
        windows = crop.windows(labels, uniform(keys, "crop", DRAWS), height, width)
        corners = moved_corners(labels[..., CORNERS], windows, tall, wide)
        return cut_windows(images, windows, tall, wide), placed(labels, corners, tall, wide)

    # end
    def transform(self, size: int) -> object:
        """The transform of a single photo."""
        return PhotoCrop(side=self.size or size, scale=self.scale, ratio=self.ratio)

    def _window(self, keys: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, int, int]:
        """Top and left (B,) of the windows in images with their border, and the sides of the windows."""
        tall, wide = self.size or height, self.size or width
        down, right = uniform(keys, "crop", 2).unbind(1)
        top = (down * (height + 2 * pixels(self.pad, height) - tall + 1)).long()
        left = (right * (width + 2 * pixels(self.pad, width) - wide + 1)).long()
        return top, left, tall, wide

    def _bordered(self, images: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same with a border on each side."""
        top = pixels(self.pad, images.shape[-2])
        left = pixels(self.pad, images.shape[-1])
        around = [left, left, top, top]
        if self.border == "zero":
            return F.pad(images, around)
        if images.device.type == "cpu":
            return F.pad(images, around, mode="reflect")
        return F.pad(images.float(), around, mode="reflect").to(
            images.dtype
        )  # other devices mirror floats only


def _windows(images: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """A window of each image, (B, C, H, W) -> (B, C, height, width); top and left are (B,) int64."""
    images = images.contiguous()
    count, channels, rows, columns = images.shape
    # A view of every run of `width` pixels: copying rows is five times as fast as copying pixels.
    runs = images.as_strided((images.numel() - width + 1, width), (1, 1))
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1) * (rows * columns)
    lines = torch.arange(height, device=images.device) * columns
    first = planes + lines + (top * columns + left)[:, None, None]
    return runs.index_select(0, first.flatten()).view(count, channels, height, width)
