# room: generators
"""Build the pair of networks of BEGAN: a generator, and a discriminator that is an autoencoder.

The discriminator scores an image by how well it draws it again. Generator and decoder have the same layers:
convolutions between nearest-neighbour upsampling, without normalisation and without tanh at the end.

Source: Berthelot et al. 2017, https://arxiv.org/abs/1703.10717, section 3.1 and figure 1. Unlike there, noise
is normal, not uniform, and the class may enter beside the noise and beside the code.
"""

import torch
from torch import Tensor, nn

from imagelab.model.dcgan import halvings_of
from imagelab.model.pair import Pair


class BEGAN(Pair):
    """A generator and an autoencoder that judges images.

    Args:
        num_classes: Number of classes, K.
        in_channels: Channels of an image.
        size: Side of an image in pixels: up to 7, or that doubled up to 64 pixels.
        latent: Numbers of noise that an image is made of, and of the code of the autoencoder.
        width: Channels of generator and decoder; those of the encoder grow by as many with each halving.
        conditional: Whether both networks are told the class of an image.

    Raises:
        Problem: No side of at most 7 pixels doubles to `size`, or it is above 64.
    """

    scores_are_errors = True

    def __init__(
        self, *, num_classes: int, in_channels: int, size: int, latent: int, width: int, conditional: bool
    ) -> None:
        known = num_classes if conditional else 0
        generator = Decoder(known, in_channels, size, values=latent, width=width)
        super().__init__(
            generator, Autoencoder(known, in_channels, size, code=latent, width=width), latent=latent
        )


class Decoder(nn.Module):
    """Values (B, values) and classes (B,) int64 -> images (B, C, size, size), not bounded.

    Args:
        classes: Number of classes that it is told; 0: none.
        channels: Channels of an image.
        size: Side of an image in pixels.
        values: Numbers that an image is made of.
        width: Channels of all hidden maps.
    """

    def __init__(self, classes: int, channels: int, size: int, *, values: int, width: int) -> None:
        super().__init__()
        halvings = halvings_of(size)
        self.side = size >> halvings
        self.classes = nn.Embedding(classes, values) if classes else None
        self.start = nn.Linear(values * (1 + bool(classes)), width * self.side**2)
        layers: list[nn.Module] = []
        for step in range(halvings + 1):
            layers += [nn.Upsample(scale_factor=2)] if step else []
            layers += [*_convolved(width, width), *_convolved(width, width)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, values: Tensor, labels: Tensor) -> Tensor:
        if self.classes is not None:
            values = torch.cat([values, self.classes(labels)], dim=1)
        return self.layers(self.start(values).unflatten(1, (-1, self.side, self.side)))


class Autoencoder(nn.Module):
    """Images (B, C, size, size) and classes (B,) int64 -> scores (B,): minus the error of its reconstruction.

    Args:
        classes: Number of classes that the decoder is told; 0: none.
        channels: Channels of an image.
        size: Side of an image in pixels.
        code: Numbers that an image is reduced to.
        width: Channels at full resolution.
    """

    def __init__(self, classes: int, channels: int, size: int, *, code: int, width: int) -> None:
        super().__init__()
        halvings = halvings_of(size)
        layers: list[nn.Module] = [*_convolved(channels, width)]
        for step in range(1, halvings + 1):
            layers += [*_convolved(step * width, step * width)]
            layers += [*_convolved(step * width, (step + 1) * width, stride=2)]
        wide = (halvings + 1) * width
        layers += [*_convolved(wide, wide), nn.Flatten()]
        self.encoder = nn.Sequential(*layers, nn.Linear(wide * (size >> halvings) ** 2, code))
        self.decoder = Decoder(classes, channels, size, values=code, width=width)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return -(images - self.drawn(images, labels)).abs().flatten(1).mean(dim=1)

    def drawn(self, images: Tensor, labels: Tensor) -> Tensor:
        """The images (B, C, size, size) as it reconstructs them from their codes."""
        return self.decoder(self.encoder(images), labels)


def _convolved(channels: int, wide: int, *, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, wide, 3, stride=stride, padding=1), nn.ELU()
