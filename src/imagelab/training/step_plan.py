"""Plan how the batches of each epoch form optimizer steps, before the run begins."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # schedules are used without Lightning
    from lightning import Trainer


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """Number of batches per epoch, and per step in each epoch; an epoch's last step may have fewer.

    >>> plan = StepPlan(batches=5, windows=[1, 2, 4], images=10)
    >>> [plan.steps(epoch) for epoch in range(3)], plan.total, plan.epoch(5), plan.epoch(6)
    ([5, 3, 2], 10, 1.0, 1.3333333333333333)

    Args:
        batches: Batches per epoch and device, >= 1.
        windows: Batches per step, for each epoch of the run, >= 1.
        images: Images per batch, over all devices.
    """

    batches: int
    windows: Sequence[int]
    images: int

    @property
    def total(self) -> int:
        """Optimizer steps of the whole run."""
        return self._done[-1]

    def window(self, epoch: int) -> int:
        """Batches per step in this epoch."""
        return self.windows[min(epoch, len(self.windows) - 1)]

    def steps(self, epoch: int) -> int:
        """Optimizer steps in this epoch."""
        return -(-self.batches // self.window(epoch))

    def batch_size(self, epoch: int) -> int:
        """The effective batch size in this epoch: images per step."""
        return self.images * min(self.window(epoch), self.batches)

    def step(self, epoch: int, batch: int) -> int:
        """The step that a batch belongs to, counted from 0 over the whole run."""
        return self._done[epoch] + batch // self.window(epoch)

    def epoch(self, step: int) -> float:
        """Epochs completed before this step, a fractional number."""
        whole = bisect_right(self._done, step) - 1
        if whole >= len(self.windows):
            return float(len(self.windows))
        return whole + (step - self._done[whole]) / self.steps(whole)

    @cached_property
    def _done(self) -> list[int]:
        """Steps before each epoch, and the total."""
        return [0, *accumulate(self.steps(epoch) for epoch in range(len(self.windows)))]


def window_scale(trainer: "Trainer", batch_idx: int) -> float:
    """The factor on the loss of a batch of the last window of an epoch, if that is shorter; else 1.

    Lightning divides by the full window.
    """
    window = trainer.accumulate_grad_batches
    batches = int(trainer.num_training_batches)
    rest = batches % window
    return window / rest if rest and batch_idx >= batches - rest else 1.0


def opens_step(trainer: "Trainer", batch_idx: int) -> bool:
    """Whether a batch of an epoch is the first of an optimizer step."""
    return batch_idx % trainer.accumulate_grad_batches == 0


def closes_step(trainer: "Trainer", batch_idx: int) -> bool:
    """Whether a batch of an epoch is the last of an optimizer step."""
    return opens_step(trainer, batch_idx + 1) or closes_epoch(trainer, batch_idx)


def closes_epoch(trainer: "Trainer", batch_idx: int) -> bool:
    """Whether a batch is the last of its epoch."""
    return batch_idx + 1 >= trainer.num_training_batches
