# room: generators
"""Define the module that Lightning trains for `task=gan`: discriminator and generator take turns.

Optimisation is manual, since there are two optimizers. Lightning counts a step per call of an optimizer of
its own; the generator's is called past it, so that a step is a batch, as schedules and plans expect.

Source: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1.
"""

from typing import Any, cast

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from imagelab.classifier import Classifier, Groups
from imagelab.contracts import CriticPenalty, Inputs
from imagelab.randomness import seed_step
from imagelab.task.gan import Gan, Settles, refuse_other_networks
from imagelab.training.loss_record import LossRecord

NETWORKS = ("discriminator", "generator")  # the first words of the names of their groups


class Adversarial(Classifier):
    """Train a pair of networks: a step of the discriminator per batch, of the generator after every few.

    `train/loss` is the loss of the discriminator, with its penalties apart.

    Args:
        critic_penalties: Tricks that add a term to the loss of the discriminator, by name.
        parts: Arguments of `Classifier`; the groups are those of `pair_groups`.
    """

    def __init__(self, *, critic_penalties: dict[str, CriticPenalty], **parts: Any) -> None:
        refuse_other_networks(parts["net"])
        super().__init__(**parts)
        self.automatic_optimization = False
        self.critic_penalties = critic_penalties
        self.balance = parts["task"].criterion if isinstance(parts["task"].criterion, Settles) else None
        settles = self.balance.settles if self.balance else ()
        names = ("loss_generator", "score_real", "score_fake", *critic_penalties, *settles)
        self.terms.records |= {name: LossRecord(window=parts["window"]) for name in names}

    @property
    def pair(self) -> Any:
        """The networks: `generator`, `discriminator` and the number of values of noise, `latent`."""
        return self.net

    @property
    def gan(self) -> Gan:
        """The task."""
        return cast(Gan, self.task)

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.groups:
            group["initial_lr"] = group["lr"]
        return [self.make_optimizer(self._groups_of(name)) for name in NETWORKS], []

    def training_step(self, batch: Inputs, batch_idx: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.evaluations = 1
        seed_step(self.seed, self.current_epoch, batch_idx, self.global_rank)
        for_discriminator, for_generator = cast(list[LightningOptimizer], self.optimizers())
        makes = (batch_idx + 1) % self.gan.discriminator_steps == 0
        noise = batch.images.new_empty(len(batch.images), self.pair.latent).normal_()
        with trained(self.pair.generator, makes):
            fake = self.pair.generator(noise, batch.labels)
        self._learn(self._judge(batch, fake.detach()), for_discriminator)
        for_discriminator.step()
        self._settle()
        if makes:
            with trained(self.pair.discriminator, False):
                self._learn(self._deceive(batch, fake), for_generator)
            for_generator.optimizer.step()

    def validation_step(self, batch: Inputs, batch_idx: int) -> None:
        self.outputs.add(*self.task.outputs(self.pair, batch))
        for name, net in self.averages.items():
            self.averages_outputs[name].add(*self.task.outputs(cast(Any, net), batch))

    def test_step(self, batch: Inputs, batch_idx: int) -> None:
        self.outputs.add(*self.task.outputs(self.pair, batch))

    def _judge(self, batch: Inputs, fake: Tensor) -> Tensor:
        """The loss of the discriminator; real and generated images pass in batches of their own."""
        real_scores = self.pair(batch.images, batch.labels)
        fake_scores = self.pair(fake, batch.labels)
        loss = self.gan.loss_of_discriminator(real_scores, fake_scores)
        self.losses.add(loss)
        judged = real_scores.detach().float(), fake_scores.detach().float()
        self.scores = [self.gan.realness(scores).mean() for scores in judged]
        self._record("score_real", self.scores[0])
        self._record("score_fake", self.scores[1])
        for name, trick in self.critic_penalties.items():
            if self.trainer.global_step % trick.every == 0:
                term = trick.critic_penalty(
                    lambda images: self.pair(images, batch.labels), batch.images, fake
                )
                self._record(name, term)
                loss = loss + term * trick.every
        for term in self.terms.of(self.pair.discriminator, record=True):
            loss = loss + term
        return loss

    def _settle(self) -> None:
        """Let a loss that follows the balance of the networks see a step of the discriminator."""
        if self.balance:
            means = (self.trainer.strategy.reduce(score, reduce_op="mean") for score in self.scores)
            for name, value in self.balance.settle(*means).items():
                self._record(name, value)

    def _deceive(self, batch: Inputs, fake: Tensor) -> Tensor:
        """The loss of the generator."""
        loss = self.gan.loss_of_generator(self.pair(fake, batch.labels))
        self._record("loss_generator", loss)
        for term in self.terms.of(self.pair.generator, record=False):
            loss = loss + term
        return loss

    def _learn(self, loss: Tensor, optimizer: LightningOptimizer) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)

    def _record(self, name: str, value: Tensor) -> None:
        self.terms.records[name].add(value)

    def _groups_of(self, network: str) -> Groups:
        return [group for group in self.groups if group["name"].startswith(network)]


class trained:  # noqa: N801 - a context, used as a word
    """Let the weights of a network have gradients, or none, within a block."""

    def __init__(self, net: nn.Module, learns: bool) -> None:
        self.weights = [weight for weight in net.parameters() if weight.requires_grad]
        self.learns = learns

    def __enter__(self) -> None:
        for weight in self.weights:
            weight.requires_grad_(self.learns)

    def __exit__(self, *_: object) -> None:
        for weight in self.weights:
            weight.requires_grad_(True)


def critic_penalties(tricks: dict[str, Any]) -> dict[str, CriticPenalty]:
    """Those of the tricks that add a term to the loss of the discriminator."""
    return {name: trick for name, trick in tricks.items() if isinstance(trick, CriticPenalty)}
