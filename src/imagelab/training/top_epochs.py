"""Keep the weights of the best epochs, not only of the best one: members of an ensemble from one run."""

from pathlib import Path
from typing import Any

from lightning import Trainer

from imagelab.checkpoints.content import TOP


class TopEpochs:
    """Writes checkpoints/top_<epoch>.ckpt for the best epochs, and removes those that are overtaken.

    Args:
        folder: Folder of the checkpoints.
        count: Number of epochs to keep; 1 writes nothing, since best.ckpt is that one.
        lower: Whether lower values of the metric are better.
    """

    def __init__(self, *, folder: Path, count: int, lower: bool) -> None:
        self.folder, self.count, self.lower = folder, count, lower
        self.values: dict[int, float] = {}

    def update(self, trainer: Trainer, value: float) -> None:
        """Take note of the epoch that has just been validated; repeating it changes nothing."""
        if self.count == 1:
            return
        self.values[trainer.current_epoch] = value
        kept = best(self.values, self.count, self.lower)
        if trainer.current_epoch in kept:
            trainer.save_checkpoint(self.path(trainer.current_epoch), weights_only=True)
        for epoch in [epoch for epoch in self.values if epoch not in kept]:
            del self.values[epoch]
            if trainer.is_global_zero:
                self.path(epoch).unlink(missing_ok=True)

    def path(self, epoch: int) -> Path:
        """The checkpoint of an epoch, counted from 0."""
        return self.folder / f"{TOP}{epoch}.ckpt"


def best(values: dict[int, Any], count: int, lower: bool) -> list[int]:
    """The epochs with the best values; of equal ones, those trained longer; nan is the worst.

    >>> best({0: 0.9, 1: 0.7, 2: 0.9, 3: float("nan")}, count=2, lower=False)
    [2, 0]
    """
    sign = 1 if lower else -1
    return sorted(values, key=lambda epoch: (values[epoch] != values[epoch], sign * values[epoch], -epoch))[
        :count
    ]
