# room: generators
"""Make images with a trained generator; `imagelab.loading.load_generator(path)` returns a `Generator`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.augment.noise import noise_of
from imagelab.data.preprocess import Preprocess

BATCH = 256  # images at once


class Generator:
    """A trained generator; an image is a function of its class, the seed and its number.

    Args:
        net: Pair of networks, of which only the generator is used.
        classes: Names of the classes.
        preprocess: Preprocessing of the images that it was trained on.
    """

    def __init__(self, *, net: Any, classes: list[str], preprocess: Preprocess) -> None:
        self.net = net.eval()
        self.classes = classes
        self.preprocess = preprocess

    @property
    def conditional(self) -> bool:
        """Whether the generator can be asked for a class."""
        return self.net.generator.classes is not None

    @torch.no_grad()
    def images(self, label: int, count: int, *, seed: int = 0) -> np.ndarray:
        """Images of a class, (count, H, W, C) uint8; the first ones of a larger count are the same.

        Args:
            label: Index of the class; any, if the generator is not told classes.
            count: Number of images.
            seed: Seed of the noise.
        """
        parts = [self._made(label, part, seed) for part in torch.arange(count).split(BATCH)]
        return torch.cat(parts).permute(0, 2, 3, 1).numpy() if parts else np.zeros((0, 1, 1, 1), np.uint8)

    def _made(self, label: int, index: Tensor, seed: int) -> Tensor:
        noise = noise_of(index + label * 2**32, self.net.latent, seed)
        return self.preprocess.denormalise(self.net.generator(noise, torch.full_like(index, label)))
