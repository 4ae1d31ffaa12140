"""Noise: add Gaussian noise, like a camera in poor light, so that single pixels matter less.

Source: Bishop 1995, https://doi.org/10.1162/neco.1995.7.1.108 (training with noise is Tikhonov
regularisation); normal draws: Box and Muller 1958, https://doi.org/10.1214/aoms/1177706645.
"""

import math

import torch
from torch import Tensor

from imagelab.augment.warp import between
from imagelab.randomness import sample_keys, uniform

CACHED = 2**18  # values drawn at once: their 64-bit words stay in the CPU cache, which is twice as fast


class Noise:
    """Add independent normal noise to every value of every pixel, with one strength per image.

    Args:
        std: Smallest and largest standard deviation, in grey levels out of 255; drawn uniformly per image.
    """

    follows_boxes = True  # room: detection

    def __init__(self, *, std: tuple[float, float]) -> None:
        self.std = (std[0], std[1])

    def batch(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, C, H, W) uint8 -> the same shape."""
        some = max(1, CACHED // images[0].numel())
        noisy = [self._noisy(*part) for part in zip(images.split(some), keys.split(some), strict=True)]
        return torch.cat(noisy)

    def move(self, corners: Tensor, keys: Tensor, height: int, width: int) -> Tensor:  # room: detection
        """Corners (B, M, 4) of boxes, which stay where they are."""
        return corners

    def transform(self, size: int) -> object:
        """The albumentations transform; any size."""
        from imagelab.augment.photo_noise import PhotoNoise

        return PhotoNoise(std_range=(self.std[0] / 255, self.std[1] / 255), p=1.0)

    def _noisy(self, images: Tensor, keys: Tensor) -> Tensor:
        std = between(uniform(keys, "noise std", 1), *self.std)
        values = images[0].numel()
        noise = normal(uniform(keys, "noise", values + values % 2))[:, :values].mul_(std).view(images.shape)
        return noise.add_(images).round_().clamp_(0, 255).byte()


def normal(draws: Tensor) -> Tensor:
    """Uniform draws in [0, 1), (B, an even number) -> as many standard normal draws."""
    radius, turn = draws.chunk(2, dim=1)
    radius = (1 - radius).log_().mul_(-2).sqrt_()  # 1 - draw, since draws can be 0 and log(0) is infinite
    turn = turn * (2 * math.pi)
    return torch.cat([turn.cos().mul_(radius), turn.sin().mul_(radius)], dim=1)


def noise_of(index: Tensor, latent: int, seed: int = 0) -> Tensor:
    """The noise of images by number: (B,) int64 -> (B, latent) float, standard normal."""
    draws = uniform(sample_keys(seed, 0, index), "latent", latent + latent % 2)
    return normal(draws)[:, :latent]
