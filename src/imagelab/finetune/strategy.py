"""Describe which stages of a pretrained network train, from which epoch on, and at which rate.

Stages are ordered from the stem to the head; the head has distance 0, the stage before it distance 1.

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.2 (rates that fall from layer to
layer) and 3.3 (gradual unfreezing).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """Base class: subclasses define when each stage starts to train, and may scale its rate.

    Args:
        norm: Mode of BatchNorm in trained stages. train: as usual. frozen: it normalises with the pretrained
            statistics, which do not change; scale and shift are trained.
    """

    norm: Literal["train", "frozen"]

    @property
    def draws_ends(self) -> bool:
        """Whether the weights of the first and the last layer are drawn anew."""
        return False

    @abstractmethod
    def starts(self, stages: int, epochs: int) -> list[int | None]:
        """The epoch in which each stage starts to train, from the stem to the head; None: never.

        Args:
            stages: Number of stages of the network, >= 1.
            epochs: Number of epochs in the run, >= 1.
        """

    def factor(self, distance: int, stages: int) -> float:
        """The factor on `optimizer.lr` for the stage at this distance from the head, of this many stages."""
        return 1.0

    def ramp(self, step: int, steps: int) -> float:
        """The warm-up factor of a stage, `step` steps after it was unfrozen, in epochs of `steps` steps."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Unfreezing(Strategy):
    """Unfreeze stages one by one or together, each with its own rate.

    Args:
        decay: Rate of a stage divided by the rate of the next stage, in (0, 1]; 1: one rate for all.
        rewarm: Length of the warm-up of a stage that is unfrozen during the run: fraction of its first epoch
            in [0, 1), or whole number of optimizer steps >= 1.
    """

    decay: float
    rewarm: float | int

    def factor(self, distance: int, stages: int) -> float:
        return self.decay**distance

    def ramp(self, step: int, steps: int) -> float:
        warm = round(self.rewarm * steps) if self.rewarm < 1 else int(self.rewarm)
        return min(1.0, (step + 1) / (warm + 1))


@dataclass(frozen=True, kw_only=True)
class HeadFirst(Unfreezing):
    """Train the head alone at first, since large gradients from an untrained head would damage the features.

    Args:
        head_epochs: Length of this phase: fraction of the run in [0, 1), or whole number of epochs.
    """

    head_epochs: float | int

    def joined(self, epochs: int) -> int | None:
        """The epoch in which other stages start to train, in a run of `epochs`; None: never."""
        return started(head_alone(self.head_epochs, epochs), epochs)


def head_alone(head_epochs: float, epochs: int) -> int:
    """The number of epochs at the start of a run in which only the head trains, >= 1.

    Args:
        head_epochs: Fraction of the run in [0, 1), or whole number of epochs >= 1.
        epochs: Number of epochs in the run.

    Raises:
        Problem: If no epochs of the run would be left.

    >>> head_alone(0.2, 20), head_alone(0.01, 20), head_alone(3, 20)
    (4, 1, 3)
    """
    if head_epochs < 1:
        return max(1, round(head_epochs * epochs))
    if head_epochs >= epochs:
        raise Problem(
            f"finetune.head_epochs: wants fewer epochs than the {epochs} of the run, got {head_epochs}; "
            "set a fraction such as 0.2, or finetune=linear_probe"
        )
    return int(head_epochs)


def started(epoch: int, epochs: int) -> int | None:
    """The epoch itself if the run has it, else None."""
    return epoch if epoch < epochs else None
