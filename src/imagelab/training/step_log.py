"""Log training loss, its terms, learning rates and gradient norm every `trainer.log_every_n_steps` steps.

`build.py` sets that attribute of the trainer once it knows how long the run is.
"""

from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.strategies import FSDPStrategy

from imagelab.config.facts import said_by
from imagelab.training.fsdp import whole
from imagelab.training.step_plan import closes_step

SHORT = 200  # steps; a shorter run logs each of them
USUAL = 20  # steps between two log entries of a longer run


def log_interval(wanted: int | None, total: int) -> int:
    """The number of optimizer steps between two log entries of a run.

    >>> log_interval(None, total=199), log_interval(None, total=200), log_interval(50, total=60)
    (1, 20, 50)

    Args:
        wanted: The number that the config asks for, if it does.
        total: Optimizer steps of the whole run.
    """
    return wanted or (1 if total < SHORT else USUAL)


class StepLog(Callback):
    """A callback, since the module's own hook would run after the checkpoint is written."""

    def __init__(self) -> None:
        self.norm: torch.Tensor | None = None

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Record the gradient norm of the optimizer's whole step, unscaled and before clipping.

        L-BFGS calls this at each evaluation; the first one is at the weights of the step.
        """
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0 and pl_module.evaluations == 1:
            own = [p for group in optimizer.param_groups for p in group["params"]]
            gradients = [p.grad for p in own if p.grad is not None]
            self.norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_step(trainer, batch_idx) and trainer.global_step % trainer.log_every_n_steps == 0:
            pl_module.flush_losses()
            rates = {}
            for optimizer in trainer.optimizers:
                found = said_by(optimizer).rate_factor
                rates |= {
                    f"lr/{group['name']}": group["lr"] * (float(group[found]) if found else 1)
                    for group in optimizer.param_groups
                }
            loss = pl_module.across_ranks(pl_module.running_loss())
            pl_module.write({"train/loss": loss} | pl_module.terms.running() | rates | self._norm(pl_module))
            pl_module.terms.weigh(loss)

    def _norm(self, pl_module: Any) -> dict[str, float]:
        if self.norm is None:
            return {}
        norm = float(whole(self.norm))
        self.norm = None
        if isinstance(pl_module.trainer.strategy, FSDPStrategy):  # each rank holds a shard of the gradient
            norm = pl_module.across_ranks(norm**2, "sum") ** 0.5
        return {"grad_norm": norm}
