# room: generators
"""Generate images: a generator learns to make images that a discriminator cannot tell from real ones.

Sources: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1; Salimans et al. 2016,
https://arxiv.org/abs/1606.03498, section 3.4 (one-sided label smoothing); Chintala et al. 2016,
https://github.com/soumith/ganhacks, hints 6 and 7 (smoothed, flipped and noisy labels).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagelab.augment.noise import noise_of
from imagelab.contracts import Inputs
from imagelab.metrics.generated import generated_metrics
from imagelab.problem import Problem

LOOKED_AT = 8  # side of the pixels that features are made of: larger images are averaged to it


@runtime_checkable
class Settles(Protocol):
    """A loss of two networks that follows their balance from step to step; its state belongs to the run.

    settles: Names of the numbers that `settle` returns, logged as train/<name>.
    """

    settles: tuple[str, ...]

    def settle(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """Take note of a step of the discriminator, and return its numbers, scalars, by name.

        real, fake: Mean scores of real and generated images over all ranks, scalars without gradients.
        """
        ...

    def measure(self, real: Tensor, fake: Tensor) -> Tensor:
        """What is reported as the loss of a split, of its mean scores: it depends on no state."""
        ...


class Gan(nn.Module):
    """Losses, targets and metrics of a generator and a discriminator; `gan.Adversarial` trains them.

    Args:
        loss: What both minimise, see `loss/adversarial.py`.
        classes: Names of the classes.
        in_channels: Channels of an image.
        size: Side of an image in pixels.
        discriminator_steps: Steps of the discriminator for each step of the generator.
        generator_rate: Learning rate of the generator, as a share of that of the discriminator.
        smooth_real: How much less than 1 the target of real images is; 0.1: one-sided label smoothing.
        smooth_fake: How much more than 0 the target of generated images is.
        flip_labels: Whether the targets of real and generated images change places, for both networks.
        flip_share: Share of targets, drawn again in each step, that are swapped for the other kind.

    Raises:
        Problem: The loss is not meant for a generator and a discriminator.
    """

    takes = "class"
    predicts = ""
    views = 1
    generates = True
    centred = True
    measures: ClassVar[dict[str, str]] = {
        "frechet": "lower",
        "precision": "higher",
        "recall": "higher",
        "density": "higher",
        "coverage": "higher",
        "diversity": "higher",
        "score_real": "higher",
        "score_fake": "higher",
    }

    def __init__(
        self,
        *,
        loss: Any,
        classes: Sequence[str],
        in_channels: int,
        size: int,
        discriminator_steps: int,
        generator_rate: float,
        smooth_real: float,
        smooth_fake: float,
        flip_labels: bool,
        flip_share: float,
    ) -> None:
        super().__init__()
        self.criterion = loss
        self.names = list(classes)
        self.discriminator_steps, self.generator_rate = discriminator_steps, generator_rate
        ends = 1 - smooth_real, smooth_fake
        self.flipped = flip_labels
        self.target_real, self.target_fake = ends[::-1] if flip_labels else ends
        self.flip_share = flip_share
        self.features = in_channels * min(size, LOOKED_AT) ** 2
        self.kept = 2 * self.features + 2

    def head(self, features: int) -> None:
        """Both networks keep their last layers."""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """The classes (B,) int64, which both networks may be told."""
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """The class of each image."""
        return [classes[label] for label in targets.tolist()]

    def correct(self, outputs: Tensor, batch: Inputs) -> None:
        """Return None: there are no right or wrong predictions."""

    def loss_of_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scores (B,) of real and of generated images -> mean loss, a scalar; flips are drawn from torch."""
        found = self.criterion.discriminator(real.float(), self._targets(real, real=True))
        return found + self.criterion.discriminator(fake.float(), self._targets(fake, real=False))

    def loss_of_generator(self, fake: Tensor) -> Tensor:
        """Scores (B,) of generated images -> mean loss, a scalar."""
        return self.criterion.generator(self.realness(fake.float()))

    def realness(self, scores: Tensor) -> Tensor:
        """Scores (B,), turned round if targets are: the higher, the more real."""
        return self.criterion.mirrored(scores) if self.flipped else scores

    def outputs(self, forward: Any, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Features of real and of as many generated images, their scores, (B, kept); and the classes (B,).

        The noise depends only on an image's place in the split, so that epochs are comparable.

        Args:
            forward: The pair of networks.
            batch: A batch of val or test.
        """
        fake = self.made(forward, batch)
        scores = [forward(images, batch.labels)[:, None].float() for images in (batch.images, fake)]
        return torch.cat([look(batch.images), look(fake), *scores], dim=1), batch.labels

    @staticmethod
    def made(forward: Any, batch: Inputs) -> Tensor:
        """The generated images (B, C, H, W) of a batch of val or test, in [-1, 1]."""
        return forward.generator(noise_of(batch.index, forward.latent), batch.labels)

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all real and generated images of a split."""
        real, fake = outputs[:, : self.features], outputs[:, self.features : 2 * self.features]
        scores = outputs[:, -2], outputs[:, -1]
        means = [self.realness(score).mean() for score in scores]
        with torch.random.fork_rng(devices=[]):
            settles = isinstance(self.criterion, Settles)
            loss = self.criterion.measure(*means) if settles else self.loss_of_discriminator(*scores)
        found = {"loss": loss, "score_real": means[0], "score_fake": means[1]}
        return found | generated_metrics(real, fake, labels)

    def _targets(self, scores: Tensor, *, real: bool) -> Tensor:
        mine, other = (self.target_real, self.target_fake)[:: 1 if real else -1]
        targets = torch.full_like(scores, mine, dtype=torch.float32)
        if self.flip_share and self.training:
            targets[torch.rand(len(scores), device=scores.device) < self.flip_share] = other
        return targets


def look(images: Tensor) -> Tensor:
    """Images (B, C, H, W) -> their pixels, averaged to at most 8 x 8, as features (B, F) float32."""
    side = min(images.shape[-1], LOOKED_AT)
    return functional.adaptive_avg_pool2d(images.float(), side).flatten(1)


def refuse_other_networks(net: nn.Module) -> None:
    """Raise a Problem if a network is not a pair of generator and discriminator."""
    if not (hasattr(net, "generator") and hasattr(net, "discriminator") and hasattr(net, "latent")):
        raise Problem(
            f"model: task=gan needs a generator and a discriminator, and {type(net).__name__} is neither; "
            "set model=dcgan or began"
        )
