"""Exchange the weights that an optimizer trains for those that it means to be used, at the end of each epoch.

Source: Defazio et al. 2024, https://arxiv.org/abs/2405.15682, section 2 (schedule-free learning evaluates an
average, x, and takes gradients elsewhere, y); statistics of BatchNorm: README of the package `schedulefree`.
"""

from collections.abc import Callable
from typing import Any

from lightning import Callback, Trainer
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from imagelab.config.facts import said_by
from imagelab.training.batch_statistics import take_statistics, training_images
from imagelab.training.step_plan import closes_epoch

BATCHES = 50  # training batches for the statistics of BatchNorm


def begun(make: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    """The function that makes an optimizer, which is then ready to train."""

    def made(groups: list[dict[str, Any]]) -> Optimizer:
        optimizer = make(groups)
        return switched(optimizer, "train")

    return made


def switched(optimizer: Optimizer, mode: str) -> Optimizer:
    """The optimizer in a mode, "train" or "eval", if it has modes."""
    if said_by(optimizer).has_modes:
        getattr(optimizer, mode)()
    return optimizer


class OptimizerModes(Callback):
    """Give validation, checkpoints at the end of an epoch and the test the weights that are to be used."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        for optimizer in trainer.optimizers:
            switched(optimizer, "train")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        found = [optimizer for optimizer in trainer.optimizers if said_by(optimizer).has_modes]
        if not closes_epoch(trainer, batch_idx) or not found:
            return
        for optimizer in found:
            switched(optimizer, "eval")
        images = training_images(trainer, pl_module, BATCHES, pl_module.seed)
        with trainer.precision_plugin.train_step_context():
            take_statistics(pl_module.net, images)
        _average_over_ranks(trainer, pl_module.net)


def _average_over_ranks(trainer: Trainer, net: nn.Module) -> None:
    for layer in net.modules() if trainer.world_size > 1 else ():
        if isinstance(layer, _BatchNorm) and layer.training:
            for values in (layer.running_mean, layer.running_var):
                if values is not None:
                    values.copy_(trainer.strategy.reduce(values.clone(), reduce_op="mean"))
