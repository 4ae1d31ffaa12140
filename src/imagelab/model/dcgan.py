# room: generators
"""Build a pair of networks for `task=gan`: a generator of images, and a discriminator that judges them.

Strided and transposed convolutions instead of pooling, LeakyReLU in the discriminator, tanh at the end of the
generator: no layer cuts gradients off. The class enters the generator beside the noise, and the
discriminator as a projection.

Sources: Radford et al. 2016, https://arxiv.org/abs/1511.06434, section 3; Miyato & Koyama 2018,
https://arxiv.org/abs/1802.05637, section 3 (projection); Odena et al. 2017,
https://arxiv.org/abs/1610.09585, section 3 (the class beside the noise).
"""

import torch
from torch import Tensor, nn

from imagelab.model.pair import Pair
from imagelab.problem import Problem

LARGEST = 7  # side of the smallest maps, in pixels
MOST = 64  # side of an image: channels double with each halving, so photos of 224 pixels would take hours
SLOPE = 0.2  # of LeakyReLU, Radford et al., section 3


class DCGAN(Pair):
    """A generator and a discriminator.

    Args:
        num_classes: Number of classes, K.
        in_channels: Channels of an image.
        size: Side of an image in pixels: up to 7, or that doubled up to 64 pixels.
        latent: Numbers of noise that an image is made of.
        width: Channels at full resolution; they double with each halving.
        conditional: Whether both networks are told the class of an image.

    Raises:
        Problem: No side of at most 7 pixels doubles to `size`, or it is above 64.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, size: int, latent: int, width: int, conditional: bool
    ) -> None:
        known = num_classes if conditional else 0
        generator = Generator(known, in_channels, size, latent=latent, width=width)
        super().__init__(generator, Discriminator(known, in_channels, size, width=width), latent=latent)


class Generator(nn.Module):
    """Noise (B, latent) and classes (B,) int64 -> images (B, C, size, size) in [-1, 1].

    Args:
        classes: Number of classes that it is told; 0: none.
        channels: Channels of an image.
        size: Side of an image in pixels.
        latent: Numbers of noise.
        width: Channels at full resolution.
    """

    def __init__(self, classes: int, channels: int, size: int, *, latent: int, width: int) -> None:
        super().__init__()
        halvings = halvings_of(size)
        most = width * 2**halvings
        self.side = size >> halvings
        self.classes = nn.Embedding(classes, latent) if classes else None
        self.start = nn.Linear(latent * (1 + bool(classes)), most * self.side**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(most), nn.ReLU()]
        for step in range(halvings, 0, -1):
            wide = width * 2 ** (step - 1)
            layers += [
                nn.ConvTranspose2d(2 * wide, wide, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        if self.classes is not None:
            noise = torch.cat([noise, self.classes(labels)], dim=1)
        return self.layers(self.start(noise).unflatten(1, (-1, self.side, self.side)))


class Discriminator(nn.Module):
    """Images (B, C, size, size) and classes (B,) int64 -> scores (B,).

    Args:
        classes: Number of classes that it is told; 0: none.
        channels: Channels of an image.
        size: Side of an image in pixels.
        width: Channels at full resolution.
    """

    def __init__(self, classes: int, channels: int, size: int, *, width: int) -> None:
        super().__init__()
        halvings = halvings_of(size)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE)]
        for step in range(halvings):
            wide = width * 2**step
            layers += [
                nn.Conv2d(wide, 2 * wide, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * wide),
                nn.LeakyReLU(SLOPE),
            ]
        features = width * 2**halvings * (size >> halvings) ** 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.classes = nn.Embedding(classes, features) if classes else None
        self.score = nn.Linear(features, 1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        features = self.layers(images)
        scores = self.score(features)[:, 0]
        if self.classes is None:
            return scores
        return scores + (self.classes(labels) * features).sum(dim=1) / features.shape[1] ** 0.5


def halvings_of(size: int) -> int:
    """How often a side is halved down to at most 7 pixels.

    >>> halvings_of(8), halvings_of(28), halvings_of(64)
    (1, 2, 4)
    """
    if size > MOST:
        raise Problem(
            f"data.size: generators make images of up to {MOST} pixels, got {size}; set data.size={MOST}"
        )
    halvings = 0
    while size >> halvings > LARGEST:
        halvings += 1
    if size % (1 << halvings):
        lower = size >> halvings << halvings
        raise Problem(
            f"data.size: {size} cannot be halved {halvings} times, as the generator doubles maps of at most "
            f"{LARGEST} pixels; set data.size={lower} or {lower + (1 << halvings)}"
        )
    return halvings
