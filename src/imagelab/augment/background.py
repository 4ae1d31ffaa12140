"""Put another background behind a cut-out object, and light it anew: domain randomisation.

The background is what has the colour of the image's border, as in pictures of objects on white, black or any
other plain ground. It becomes a plain colour, a gradient, clouds or a fine texture; the object is lit from a
random side.

Source: Tobin et al. 2017, https://arxiv.org/abs/1703.06907, section III.A.
"""

import torch
from torch import Tensor
from torch.nn import functional

from imagelab.randomness import uniform

GRIDS = (1, 2, 4, 16)  # colours along a side: plain, gradient, clouds, texture
FINEST = max(GRIDS)


class Background:
    """Change the background and the light of single images, each by its own key.

    Args:
        tolerance: Distance from the colour of the border up to which a pixel is background, in grey levels;
            within it, pixels are blended.
        light: Smallest and largest factor on the brightness of the object; 1: unchanged.
        p: Share of images that are changed, in [0, 1].
    """

    def __init__(self, *, tolerance: float, light: tuple[float, float], p: float) -> None:
        self.tolerance = tolerance
        self.light = (light[0], light[1])
        self.p = p

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        pixels = images.float()
        away = (pixels - border_colour(images)).abs().amax(dim=1, keepdim=True)
        solid = (away / self.tolerance).clamp(max=1)
        low, high = self.light
        lit = (pixels * (low + (high - low) * field(keys, "light", 1, images, 2))).clamp(max=255)
        changed = lit.lerp(255 * texture(keys, images), 1 - solid).round().byte()
        drawn = uniform(keys, "background p", 1)[:, :, None, None] < self.p
        return torch.where(drawn, changed, images)

    def transform(self, size: int) -> "OnPhoto":
        """The transform of one photo of any size."""
        return OnPhoto(self)


class OnPhoto:
    """Random background and light for one image, with a key drawn by torch."""

    def __init__(self, change: Background) -> None:
        self.change = change

    def __call__(self, image: Tensor) -> Tensor:
        """(C, H, W) uint8 -> the same shape."""
        return self.change.batch(image[None], torch.randint(2**62, (1,)))[0]


def border_colour(images: Tensor) -> Tensor:
    """The median colour of the outermost pixels, (B, C, 1, 1) float, of images (B, C, H, W)."""
    edges = [images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]]
    return torch.cat(edges, dim=-1).float().median(dim=-1).values[..., None, None]


def texture(keys: Tensor, like: Tensor) -> Tensor:
    """Backgrounds in [0, 1], (B, C, H, W): each has a random number of random colours."""
    kind = (uniform(keys, "background kind", 1) * len(GRIDS)).long().clamp(max=len(GRIDS) - 1)
    found = torch.empty(like.shape, device=like.device)
    for place, grid in enumerate(GRIDS):
        mine = (kind[:, 0] == place)[
            :, None, None, None
        ]  # chosen on the device, so that nothing waits for it
        found = torch.where(mine, field(keys, "background", like.shape[1], like, grid), found)
    return found


def field(keys: Tensor, purpose: str, channels: int, like: Tensor, grid: int) -> Tensor:
    """Uniform draws on a grid, interpolated to the size of images: (B, channels, H, W) in [0, 1)."""
    draws = uniform(keys, purpose, channels * grid**2).view(len(keys), channels, grid, grid)
    return functional.interpolate(draws, like.shape[-2:], mode="bilinear", align_corners=grid > 1 or None)
