"""Record the training losses of an epoch without waiting for the device; find the first non-finite one."""

import math
from collections import deque

import torch
from torch import Tensor

from imagelab.problem import Problem


class Diverged(Problem):
    """The loss is NaN or infinite."""


class LossRecord:
    """Collect one loss per batch on the device; `flush` fetches them all at once.

    Args:
        window: Number of batches in the running mean.
    """

    def __init__(self, *, window: int) -> None:
        self.pending: list[Tensor] = []
        self.epoch: list[float] = []
        self.recent: deque[float] = deque(maxlen=window)
        self.bad: int | None = None  # the batch of the epoch with the first non-finite loss

    def add(self, loss: Tensor) -> None:
        """Add the loss of a batch, a scalar tensor, without reading it."""
        self.pending.append(loss.detach())

    def flush(self) -> None:
        """Fetch the losses added since the last flush; set `bad` at the first non-finite one."""
        values = torch.stack(self.pending).float().tolist() if self.pending else []
        first = len(self.epoch)
        self.pending.clear()
        self.epoch += values
        self.recent.extend(values)
        if self.bad is None:
            self.bad = next((first + i for i, value in enumerate(values) if not math.isfinite(value)), None)

    def running(self) -> float:
        """Mean of the last losses."""
        self.flush()
        return math.fsum(self.recent) / max(1, len(self.recent))

    def epoch_mean(self) -> float:
        """Mean over the epoch so far; exact, so that it does not depend on when it was flushed."""
        return math.fsum(self.epoch) / max(1, len(self.epoch))

    def end_epoch(self) -> None:
        """Start a new epoch; the running mean continues."""
        self.epoch = []

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint within an epoch."""
        return {
            "epoch": torch.tensor(self.epoch).double(),
            "recent": torch.tensor(list(self.recent)).double(),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue where `state_dict` was taken."""
        self.pending.clear()
        self.epoch = state["epoch"].tolist()
        self.recent.clear()
        self.recent.extend(state["recent"].tolist())
