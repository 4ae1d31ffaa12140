"""Drop the rate when a metric has stopped improving.

Source: torch's ReduceLROnPlateau, https://pytorch.org/docs/stable/optim.html, with its relative threshold.
"""

import math
from dataclasses import dataclass
from typing import Literal

from imagelab.schedule.curve import Progress, Schedule


@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """factor^(number of times that the metric stalled), a pure function of the metric's values so far.

    A value improves if it beats the best one by more than `threshold` of that. More than `patience` epochs in
    a row without improvement drop the rate. A resumed run counts again from the values in its checkpoint, so
    it cannot differ.

    Args:
        monitor: Metric to watch, as in metrics.csv.
        mode: Whether it should become smaller (min) or larger (max).
        factor: Factor on the rate at each drop, in (0, 1).
        patience: Epochs without improvement that are tolerated, >= 0.
        threshold: Least improvement that counts, as a share of the best value, in [0, 1).
        cooldown: Epochs after a drop that are not counted, >= 0.
    """

    monitor: str
    mode: Literal["min", "max"]
    factor: float
    patience: int
    threshold: float
    cooldown: int

    def curve(self, at: Progress) -> float:
        return self.factor ** self.drops([metrics[self.monitor] for metrics in at.history])

    def drops(self, values: list[float]) -> int:
        """The number of drops after these values, one value per epoch.

        >>> rate = dict(factor=0.1, patience=1, threshold=0.0, cooldown=0, warmup=0, floor=0)
        >>> Plateau(monitor="val/loss", mode="min", **rate).drops([3, 2, 2, 2, 2, 2])
        2
        """
        best = math.inf if self.mode == "min" else -math.inf
        stalled = 0
        resting = 0
        drops = 0
        for value in values:
            if self._better(value, best):
                best = value
                stalled = 0
            else:
                stalled += 1
            if resting:
                resting -= 1
                stalled = 0
            if stalled > self.patience:
                drops += 1
                resting = self.cooldown
                stalled = 0
        return drops

    def _better(self, value: float, best: float) -> bool:
        if self.mode == "min":
            return value < best * (1 - self.threshold)
        return value > best * (1 + self.threshold)
