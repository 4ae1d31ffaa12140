"""The training losses of an epoch, kept without waiting for the device, watched for one that is no number."""

import math
from collections import deque

import torch
from torch import Tensor

from imagelab.problem import Problem


class Diverged(Problem):
    """The loss is no longer a number."""


class LossRecord:
    """Collects a loss a batch on the device; `flush` fetches them all at once.

    Args:
        window: How many batches the running mean spans.
    """

    def __init__(self, *, window: int) -> None:
        self.pending: list[Tensor] = []
        self.epoch: list[float] = []
        self.recent: deque[float] = deque(maxlen=window)
        self.bad: int | None = None  # the place in the epoch of the first loss that is no number

    def add(self, loss: Tensor) -> None:
        """Take the loss of a batch, a scalar tensor, without looking at it."""
        self.pending.append(loss.detach())

    def flush(self) -> None:
        """Look at what was added since; `bad` says whether a loss was no number."""
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
        """Begin a new epoch; the running mean goes on."""
        self.epoch = []

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint inside an epoch needs."""
        return {
            "epoch": torch.tensor(self.epoch).double(),
            "recent": torch.tensor(list(self.recent)).double(),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where `state_dict` was taken."""
        self.pending.clear()
        self.epoch = state["epoch"].tolist()
        self.recent.clear()
        self.recent.extend(state["recent"].tolist())
