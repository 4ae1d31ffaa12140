"""Log training loss, its terms, learning rates and gradient norm every `trainer.log_every_n_steps` steps."""

from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.strategies import FSDPStrategy

from imagelab.training.fsdp import whole
from imagelab.training.step_plan import closes_step


class StepLog(Callback):
    """A callback, since the module's own hook would run after the checkpoint is written.

    Args:
        every: Optimizer steps between two log entries.
    """

    def __init__(self, *, every: int) -> None:
        self.every = every
        self.norm: torch.Tensor | None = None

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        """Record the gradient norm of the whole step, unscaled and before clipping.

        L-BFGS calls this at each evaluation; the first one is at the weights of the step.
        """
        if (trainer.global_step + 1) % self.every == 0 and pl_module.evaluations == 1:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            self.norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_step(trainer, batch_idx) and trainer.global_step % self.every == 0:
            pl_module.flush_losses()
            rates = {f"lr/{group['name']}": group["lr"] for group in trainer.optimizers[0].param_groups}
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
