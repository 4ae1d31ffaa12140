"""Colour jitter: imitate other lighting and cameras, so that the network does not rely on exact colours.

Source: torchvision's ColorJitter, https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.ColorJitter.html
(each image gets its own four factors and its own order of the four changes).
"""

import torch
from torch import Tensor

from imagelab.augment.chosen import change_chosen
from imagelab.randomness import uniform

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


class ColorJitter:
    """Change brightness, contrast, saturation and hue; only the first two if an image is not RGB.

    Args:
        brightness: Strength in [0, 1]: pixels are scaled by a factor in [1 - brightness, 1 + brightness].
        contrast: The same for the factor on the distance from the mean grey.
        saturation: The same for the factor on the distance from each pixel's own grey.
        hue: Largest shift around the colour circle, in turns, in [0, 0.5].
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, brightness: float, contrast: float, saturation: float, hue: float) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        changes = 4 if self.hue > 0 and images.shape[1] == 3 else 3
        draws = uniform(keys, "color_jitter", 8)
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        amounts = torch.stack([(2 * draws[:, n] - 1) * most for n, most in enumerate(strengths)], dim=1)
        pixels = images.float()
        for which in draws[:, 4 : 4 + changes].argsort(dim=1).unbind(1):
            pixels = _blend(pixels, which, amounts)
            if changes == 4:
                pixels = change_chosen(pixels, which == HUE, shift_hue, amounts[:, HUE])
        return pixels.round_().byte()

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:  # room: detection
        """Corners (B, M, 4) of boxes, which stay where they are."""
        return corners

    def transform(self, size: int) -> object:
        """The transform of one photo; any size."""
        from imagelab.augment.photo_jitter import PhotoJitter

        strengths = self.brightness, self.contrast, self.saturation, self.hue
        return PhotoJitter(strengths=strengths)


def _blend(pixels: Tensor, which: Tensor, amounts: Tensor) -> Tensor:
    """Move each image away from or towards black, its mean grey or its own grey; (B,) and (B, 4)."""
    grey = _grey(pixels)
    anchor = grey * _column(which == SATURATION)
    anchor += grey.mean((1, 2, 3), keepdim=True) * _column(which == CONTRAST)
    factor = _column(1 + amounts.gather(1, which[:, None])[:, 0] * (which != HUE))
    return (pixels * factor).add_(anchor * (1 - factor)).clamp_(0, 255)


def shift_hue(pixels: Tensor, turn: Tensor) -> Tensor:
    """Shift the hue of (B, 3, H, W) RGB, keeping value and saturation; turn is (B,), in turns."""
    red, green, blue = pixels.unbind(1)
    value, smallest = pixels.amax(1), pixels.amin(1)
    chroma = value - smallest
    sextant = torch.where(
        value == red,
        (green - blue) / chroma,
        torch.where(value == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma),
    )
    sextant = torch.where(chroma > 0, sextant, 0.0) + 6 * turn[:, None, None]
    channel = 5 - 2 * torch.arange(3, device=pixels.device)[:, None, None]
    distance = (sextant[:, None] + channel) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(distance, 4 - distance).clamp_(0, 1)


def _grey(pixels: Tensor) -> Tensor:
    if pixels.shape[1] != 3:
        return pixels
    red, green, blue = pixels.split(1, dim=1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]
