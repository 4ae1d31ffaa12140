"""Keep averaged weights, which are evaluated and saved beside the raw ones; training is not affected.

Source: https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
"""

from copy import deepcopy
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from imagelab.training.step_plan import closes_step


class WeightAverage(Callback):
    """Keep the average in float32, or in the precision of training if that is higher.

    Before the first update no average is evaluated, saved or chosen. The first update copies the weights, so
    the initial weights are never part of an average.
    """

    averages_weights: str  # the name of the average in metrics and checkpoints

    def __init__(self) -> None:
        self.updates = 0
        self.net = nn.Module()  # a copy of the network for evaluation, in training precision
        self.weights: dict[str, Tensor] = {}  # the average; the copy's own tensors if they are float32
        self.averaged: list[Tensor] = []
        self.current: list[Tensor] = []
        self.counts: tuple[list[Tensor], list[Tensor]] = ([], [])  # integers: copied, not averaged

    def is_due(self, trainer: Trainer, batch_idx: int) -> bool:
        """Whether the average is updated after the optimizer step of this batch."""
        raise NotImplementedError

    def blend(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """Update the average in place with the current weights; called from the second update on."""
        raise NotImplementedError

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        self.net = deepcopy(pl_module.net).eval().requires_grad_(False)
        if any(weight.dtype.itemsize < 4 for weight in self.net.parameters()):
            self.net.float()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if self.averages_weights in checkpoint.get("averages", {}):
            self.net.load_state_dict(checkpoint["averages"][self.averages_weights])

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.weights = self.net.to(pl_module.device).state_dict()
        self.net = trainer.precision_plugin.convert_module(self.net)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        tensors = dict(pl_module.net.named_parameters()) | dict(pl_module.net.named_buffers())
        pairs = [(self.weights[name], tensor) for name, tensor in tensors.items() if name in self.weights]
        self.averaged = [mine for mine, _ in pairs if mine.is_floating_point()]
        self.current = [theirs for mine, theirs in pairs if mine.is_floating_point()]
        whole = [(mine, theirs) for mine, theirs in pairs if not mine.is_floating_point()]
        self.counts = [mine for mine, _ in whole], [theirs for _, theirs in whole]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_step(trainer, batch_idx) and self.is_due(trainer, batch_idx):
            self.update()
            self.on_update(trainer, pl_module)

    @torch.no_grad()
    def update(self) -> None:
        """Update the average with the current weights."""
        if self.updates == 0:
            torch._foreach_copy_(self.averaged, self.current)  # pyright: ignore[reportPrivateImportUsage]
        else:
            pairs = zip(self.averaged, self.current, strict=True)
            self.blend(self.averaged, [theirs.to(mine.dtype) for mine, theirs in pairs])
        if self.counts[0]:
            torch._foreach_copy_(*self.counts)  # pyright: ignore[reportPrivateImportUsage]
        self.updates += 1

    def on_update(self, trainer: Trainer, pl_module: Any) -> None:
        """Do what must follow an update."""

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        pl_module.averages = {}
        if self.updates:
            if trainer.world_size > 1:  # ranks have seen different batches: use the statistics of rank 0
                for name, _ in self.net.named_buffers():
                    if name in self.weights:  # buffers that no checkpoint holds never change
                        torch.distributed.broadcast(self.weights[name], src=0)
            self.net.load_state_dict(self.weights)
            if torch.stack([weight.norm() for weight in self.averaged]).sum().isfinite():
                pl_module.averages = {self.averages_weights: self.net}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if self.updates:
            checkpoint["averages"] = {self.averages_weights: dict(self.weights)}

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = state_dict["updates"]
