"""Denoising autoencoder: rebuild an image from the features of a noisy one.

Source: Vincent et al. 2010, https://jmlr.org/papers/v11/vincent10a.html, section 3, with Gaussian noise.
"""

import torch
from torch import Tensor, nn

from imagelab.augment.noise import normal
from imagelab.contracts import Inputs
from imagelab.randomness import sample_keys, uniform
from imagelab.task.contract import Forward
from imagelab.task.unlabelled import Unlabelled

SMALLEST = 4  # pixels: side of the maps that the decoder begins with, at most
THINNEST = 16  # channels of the largest maps


class Autoencoder(Unlabelled):
    """The network encodes; a small decoder, which takes the place of its last layer, rebuilds the pixels.

    Args:
        noise: Standard deviation of what is added to the normalised pixels, >= 0.
        width: Channels of the decoder's first maps, >= 1; halved with each doubling of their side.
        in_channels: Channels of the images.
        size: Their side in pixels.
    """

    views = 1
    kept = 1

    def __init__(self, *, noise: float, width: int, in_channels: int, size: int) -> None:
        self.noise = noise
        self.channels = width
        self.in_channels = in_channels
        self.size = size

    def head(self, features: int) -> nn.Module:
        """(B, features) -> (B, C * H * W)."""
        sides = _sides(self.size)
        width = self.channels
        layers: list[nn.Module] = [nn.Linear(features, width * sides[0] ** 2), nn.ReLU()]
        layers.append(nn.Unflatten(1, (width, sides[0], sides[0])))
        for side in sides[1:]:
            thinner = max(width // 2, min(THINNEST, width))
            layers += [nn.Upsample(size=(side, side)), nn.Conv2d(width, thinner, 3, padding=1), nn.ReLU()]
            width = thinner
        return nn.Sequential(*layers, nn.Conv2d(width, self.in_channels, 3, padding=1), nn.Flatten())

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """Mean squared error over all pixels; the noise is drawn anew in every step."""
        return self._errors(forward, batch.images, torch.randn_like(batch.images)).mean()

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """The error of each image, (B, 1), and its place in the split; its noise is always the same."""
        values = batch.images[0].numel()
        draws = uniform(sample_keys(0, 0, batch.index), "denoise", values + values % 2)
        noise = normal(draws)[:, :values].reshape(batch.images.shape).to(batch.images)
        return self._errors(forward, batch.images, noise)[:, None], batch.index

    def metrics(self, outputs: Tensor, places: Tensor) -> dict[str, Tensor]:
        """Metrics of a split, from the errors of all its images."""
        return {"loss": outputs.mean()}

    def _errors(self, forward: Forward, images: Tensor, noise: Tensor) -> Tensor:
        rebuilt = forward(images + self.noise * noise)
        return (rebuilt.float() - images.flatten(1).float()).square().mean(dim=1)


def _sides(size: int) -> list[int]:
    """The sides of the decoder's maps, each about twice the one before.

    >>> _sides(8), _sides(32), _sides(30)
    ([4, 8], [4, 8, 16, 32], [4, 8, 15, 30])
    """
    sides = [size]
    while sides[0] > SMALLEST:
        sides.insert(0, -(-sides[0] // 2))
    return sides
