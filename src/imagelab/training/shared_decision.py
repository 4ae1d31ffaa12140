"""Let all ranks save and stop at the same step, without an exchange between them at every step."""

import time
from typing import Any

import torch
from lightning import Trainer

EVERY = 1.0  # seconds, so that a run stops within two


class SharedDecision:
    """A signal on any rank counts; of the clocks, only that of the first rank.

    The ranks agree on the step of the next exchange, about a second ahead, as the first rank's pace suggests.

    Args:
        every: Longest time between two exchanges, in seconds.
    """

    def __init__(self, *, every: float) -> None:
        self.every = every
        self.begin(0)

    def begin(self, step: int) -> None:
        """Start to measure the pace at this step, at which the ranks exchange for the first time."""
        self.next = self.last = step
        self.ahead = 1
        self.clock = time.monotonic()

    def at_step(self, trainer: Trainer, due: bool, signum: int) -> tuple[bool, int]:
        """Whether to save, and the signal to stop for, 0 for none: the same on all ranks.

        Args:
            trainer: Trainer of the run.
            due: Whether a checkpoint is due by the clock of this rank.
            signum: Signal that this rank has received, 0 for none.
        """
        if trainer.world_size > 1 and trainer.global_step < self.next:
            return False, 0
        return self.now(trainer, due, signum)

    def now(self, trainer: Trainer, due: bool, signum: int) -> tuple[bool, int]:
        """The same, by an exchange at once."""
        if trainer.world_size == 1:
            return due, signum
        step = trainer.global_step
        clock = time.monotonic()
        pace = (step - self.last) / max(clock - self.clock, 1e-9)
        ahead = max(1, min(int(pace * self.every), 2 * self.ahead))
        first: Any = trainer.is_global_zero
        mine = [float(due and first), float(signum), float(ahead * first)]
        numbers = torch.tensor(mine, device=trainer.strategy.root_device)
        any_due, any_signum, ahead = map(int, trainer.strategy.reduce(numbers, reduce_op="max").tolist())
        self.next = step + ahead
        self.last = step
        self.ahead = ahead
        self.clock = clock
        return bool(any_due), any_signum
