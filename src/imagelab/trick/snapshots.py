"""Save a checkpoint at the end of each cycle of the schedule, or every few epochs: members of an ensemble.

Each cycle ends at a rate near 0, where the weights have settled, and the next one leads to another minimum:
`imagelab evaluate run=RUN members=snapshots` averages their predictions.

Source: Huang et al. 2017, https://arxiv.org/abs/1704.00109, section 3.
"""

from pathlib import Path
from typing import Any

from lightning import Callback, Trainer

from imagelab.checkpoints.content import SNAPSHOT
from imagelab.config.facts import said_by
from imagelab.problem import Problem
from imagelab.training.step_plan import StepPlan, closes_step

NEARLY = 1e-3  # fraction of a cycle that may be missing at the end, because its length is rounded


class Snapshots(Callback):
    """Write checkpoints/snapshot_1.ckpt and so on: the raw weights and all that is needed to use them.

    Args:
        every: Epochs between two snapshots, >= 1; None: at the end of each cycle of the schedule.
        folder: Folder of the run.
    """

    needs_cycles = True

    def __init__(self, *, every: int | None, folder: Path) -> None:
        self.every = every
        self.folder = folder / "checkpoints"

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        if self.every is None and not said_by(pl_module.schedule).has_cycles:
            raise Problem(
                f"trick.snapshots: {type(pl_module.schedule).__name__} has no cycles; "
                "set schedule=cosine_restarts, or trick.snapshots.every=EPOCHS"
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not closes_step(trainer, batch_idx):
            return
        done = self._done(pl_module, trainer.global_step)
        if done > self._done(pl_module, trainer.global_step - 1):
            pl_module.flush_losses()
            trainer.save_checkpoint(self.folder / f"{SNAPSHOT}{done}.ckpt", weights_only=True)

    def _done(self, pl_module: Any, step: int) -> int:
        """The number of snapshots that are due after so many optimizer steps."""
        plan: StepPlan = pl_module.step_plan
        if self.every is None:
            return ended(pl_module.schedule, step, plan)
        return int((plan.epoch(step) + 1e-9) / self.every)


def ended(schedule: Any, step: int, step_plan: StepPlan) -> int:
    """The number of cycles of a schedule that are complete after `step` optimizer steps.

    >>> from imagelab.schedule.cosine import CosineRestarts
    >>> three = CosineRestarts(first_cycle=0.14285, multiplier=2, warmup=0, floor=0)
    >>> [ended(three, step, StepPlan(batches=7, windows=[1, 1], images=8)) for step in (1, 2, 3, 6, 13, 14)]
    [0, 1, 1, 2, 2, 3]
    """
    slack = NEARLY if step >= step_plan.total else 1e-9
    return int(schedule.cycles(schedule.share(step, step_plan)) + slack)
