# room: generators
"""What the networks of `task=gan` have in common: one makes images, the other scores them."""

from torch import Tensor, nn


class Pair(nn.Module):
    """A generator and a discriminator.

    Args:
        generator: Noise (B, latent) and classes (B,) int64 -> images (B, C, H, W).
        discriminator: Images (B, C, H, W) and classes (B,) int64 -> scores (B,).
        latent: Numbers of noise that an image is made of.
    """

    generates = True

    def __init__(self, generator: nn.Module, discriminator: nn.Module, *, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.generator, self.discriminator = generator, discriminator

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (B, C, H, W) and classes (B,) int64 -> scores (B,): the higher, the more real."""
        return self.discriminator(images, labels)
