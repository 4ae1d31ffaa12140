"""Training loss, the terms added to it and learning rates, every `trainer.log_every_n_steps` steps."""

from typing import Any

from lightning import Callback, Trainer


class StepLog(Callback):
    """A callback, since the module's own hook comes after the one that writes the checkpoint.

    Args:
        every: Optimizer steps between two records.
    """

    def __init__(self, *, every: int) -> None:
        self.every = every

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        stepped = (
            batch_idx + 1
        ) % trainer.accumulate_grad_batches == 0 or batch_idx + 1 == trainer.num_training_batches
        if stepped and trainer.global_step % self.every == 0:
            pl_module.flush_losses()
            rates = {f"lr/{group['name']}": group["lr"] for group in trainer.optimizers[0].param_groups}
            loss = pl_module.across_ranks(pl_module.running_loss())
            pl_module.write({"train/loss": loss} | pl_module.terms.running() | rates)
            pl_module.terms.weigh(loss)
