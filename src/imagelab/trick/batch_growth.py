"""Grow the batch at milestones where a schedule would cut the learning rate.

Source: Smith et al. 2018, "Don't Decay the Learning Rate, Increase the Batch Size",
https://arxiv.org/abs/1711.00489, sections 4 and 5.1.
"""

import logging
from collections.abc import Sequence
from typing import Any

from lightning import Callback, Trainer

from imagelab.training.step_plan import StepPlan

FALLEN = 0.5  # share of the peak rate below which a schedule counts as falling
log = logging.getLogger(__name__)


class BatchGrowth(Callback):
    """Multiply `trainer.accumulate_grad_batches` at milestones, each at the start of an epoch.

    The number of batches per step is a pure function of the epoch, and never more than those of an epoch.
    BatchNorm still sees single batches: only the batch of the optimizer grows.

    Args:
        milestones: Fractions of the run, each in (0, 1); the batch grows with the first epoch from there on.
        factor: Factor on the batches per step at each milestone, a whole number >= 2.
    """

    grows_batches = True

    def __init__(self, *, milestones: Sequence[float], factor: int) -> None:
        self.milestones, self.factor = milestones, factor

    def windows(self, window: int, epochs: int) -> list[int]:
        """Batches per step in each epoch of a run that starts with `window` of them.

        >>> BatchGrowth(milestones=[0.5, 0.75], factor=5).windows(1, epochs=6)
        [1, 1, 1, 5, 5, 25]
        """
        starts = [milestone * epochs - 1e-9 for milestone in self.milestones]
        return [window * self.factor ** sum(epoch >= start for start in starts) for epoch in range(epochs)]

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        left = rate_left(pl_module.schedule, pl_module.step_plan)
        if stage == "fit" and left < FALLEN:
            log.warning(
                f"trick.batch_growth: grows the batch in place of a falling rate, and "
                f"{type(pl_module.schedule).__name__} lets it fall to {left:.2g} of its peak as well; "
                "set schedule=constant."
            )

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        # on_train_epoch_start is not called for an epoch that is resumed midway.
        trainer.accumulate_grad_batches = pl_module.step_plan.window(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        trainer.accumulate_grad_batches = pl_module.step_plan.window(trainer.current_epoch)
        pl_module.write({"batch_size": pl_module.step_plan.batch_size(trainer.current_epoch)})


def rate_left(schedule: Any, plan: StepPlan) -> float:
    """The rate at the last step, as a share of the largest in the run.

    >>> from imagelab.schedule.decay import Constant, Linear
    >>> plan = StepPlan(batches=10, windows=[1], images=8)
    >>> [rate_left(kind(warmup=0, floor=0), plan) for kind in (Constant, Linear)]
    [1.0, 0.09999999999999998]
    """
    rates = [schedule.scale(step, plan) for step in range(plan.total)]
    return rates[-1] / max(rates)
