"""What of a trained network moves, from which epoch on, and how fast: a description, nothing that happens.

Stages are counted from the stem to the head; the distance of the head is 0, that of the stage before it 1.

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.2 (rates that fall from layer to
layer) and 3.3 (gradual unfreezing).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """A child says when each stage starts to move; at once and at the whole rate where it says no more.

    Args:
        norm: BatchNorms of stages that move. train: as ever. frozen: they normalise with the statistics of
            the weights that training starts from, which stay; scale and shift are trained.
    """

    norm: Literal["train", "frozen"]

    @abstractmethod
    def starts(self, stages: int, epochs: int) -> list[int | None]:
        """The epoch at which each stage begins to move, from the stem to the head; None: never.

        Args:
            stages: Of the network, >= 1.
            epochs: Of the run, >= 1.
        """

    def factor(self, distance: int) -> float:
        """The rate of the stage at this distance from the head, as a factor on `optimizer.lr`."""
        return 1.0

    def ramp(self, step: int, steps: int) -> float:
        """The factor on the rate of a stage that began to move so many steps ago, of an epoch of `steps`."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Unfreezing(Strategy):
    """Stages begin to move one after the other, or together, each at a rate of its own.

    Args:
        decay: Rate of a stage over that of the stage after it, in (0, 1]; 1: one rate for all.
        rewarm: Of a stage that begins to move after the run has begun, how long its rate rises to its own
            value: share of its first epoch in [0, 1), or a whole number of optimizer steps >= 1.
    """

    decay: float
    rewarm: float | int

    def __post_init__(self) -> None:
        expect_decay(self.decay)
        expect_share("rewarm", self.rewarm, "a share of an epoch", "steps")

    def factor(self, distance: int) -> float:
        return self.decay**distance

    def ramp(self, step: int, steps: int) -> float:
        warm = round(self.rewarm * steps) if self.rewarm < 1 else int(self.rewarm)
        return min(1.0, (step + 1) / (warm + 1))


@dataclass(frozen=True, kw_only=True)
class HeadFirst(Unfreezing):
    """The head alone at first, which knows nothing yet and would spoil the features below it.

    Args:
        head_epochs: How long only the head moves: share of the run in [0, 1), or a whole number of epochs.
    """

    head_epochs: float | int

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_share("head_epochs", self.head_epochs, "a share of the run", "epochs")

    def joined(self, epochs: int) -> int | None:
        """The epoch at which other stages join the head, in a run of so many; None: never."""
        return started(head_alone(self.head_epochs, epochs), epochs)


def expect_decay(decay: float) -> None:
    """Raise a Problem where a rate would be none, or grow towards the stem."""
    if not 0 < decay <= 1:
        raise Problem(f"finetune.decay: wants a factor above 0, up to 1, got {decay}")


def expect_share(key: str, value: float, share: str, whole: str, *, zero: bool = True) -> None:
    """Raise a Problem where a value is neither a share below 1 nor a whole number."""
    if value < 0 or (value >= 1 and value != int(value)) or (value == 0 and not zero):
        raise Problem(f"finetune.{key}: wants {share} below 1 or a whole number of {whole}, got {value}")


def head_alone(head_epochs: float, epochs: int) -> int:
    """The epochs at a run's beginning in which only the head moves: one or more.

    Args:
        head_epochs: Share of the run in [0, 1), or a whole number of epochs >= 1.
        epochs: Of the run.

    Raises:
        Problem: Nothing of the run would be left.

    >>> head_alone(0.2, 20), head_alone(0.01, 20), head_alone(3, 20)
    (4, 1, 3)
    """
    if head_epochs < 1:
        return max(1, round(head_epochs * epochs))
    if head_epochs >= epochs:
        raise Problem(
            f"finetune.head_epochs: wants fewer epochs than the {epochs} of the run, got {head_epochs}; "
            "say a share such as 0.2, or finetune=linear_probe"
        )
    return int(head_epochs)


def started(epoch: int, epochs: int) -> int | None:
    """The epoch itself where the run has it, else None."""
    return epoch if epoch < epochs else None
