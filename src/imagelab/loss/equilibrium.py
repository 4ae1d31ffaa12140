# room: generators
"""Balance an autoencoder that judges images against a generator: the losses of BEGAN (`model=began`).

A score is minus the error E of an image that the autoencoder draws again. It learns to draw real images well,
E(real) - k E(generated), and the generator to be drawn well, E(generated). The share k, in [0, 1], grows
while generated images are drawn too well, so that E(generated) stays near `ratio` E(real).

Source: Berthelot et al. 2017, https://arxiv.org/abs/1703.10717, sections 3.3 to 3.5.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn


class Equilibrium(nn.Module):
    """Losses whose share of generated images follows a balance; the share is saved with the run.

    Args:
        ratio: Error of generated images that is aimed at, relative to that of real ones; lower: images are
            better and less varied.
        rate: How fast the share moves towards the balance per step.
    """

    judges: ClassVar[tuple[str, ...]] = ("pairs",)
    soft_targets = False
    takes_errors = True
    settles: ClassVar[tuple[str, ...]] = ("share", "convergence")
    share: Tensor

    def __init__(self, *, ratio: float, rate: float) -> None:
        super().__init__()
        self.ratio, self.rate = ratio, rate
        self.register_buffer("share", torch.zeros(()))

    def discriminator(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The mean error of real images, minus the share of that of generated ones, in two calls."""
        return -(scores * (targets - self.share * (1 - targets))).mean()

    def generator(self, scores: Tensor) -> Tensor:
        """The mean error of generated images."""
        return -scores.mean()

    def settle(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Move the share after a step of the discriminator.

        Args:
            real: Mean score of real images, a scalar, of all ranks.
            fake: Mean score of generated images, a scalar, of all ranks.

        Returns:
            `share` and `convergence`, E(real) + |ratio E(real) - E(generated)|: the lower, the better.
        """
        self.share.add_(self.rate * (fake - self.ratio * real)).clamp_(0, 1)
        return {"share": self.share.clone(), "convergence": self.measure(real, fake)}

    def measure(self, real: Tensor, fake: Tensor) -> Tensor:
        """The convergence measure of mean scores: unlike the loss, it does not depend on the share."""
        return (fake - self.ratio * real).abs() - real
