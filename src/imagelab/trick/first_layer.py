"""Picture the filters of the first layer before and after training, and log how far they have moved.

Source: Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.1.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from imagelab.logger.pictures import grid, legible, log_pictures, save
from imagelab.training.step_plan import closes_step

COUNT = 64  # filters shown
SPREAD = 0.99  # fraction of the weights within the colour scale; larger ones are clipped


class FirstLayer(Callback):
    """Save images/first_layer_init.png and first_layer_end.png; log `first_layer/change`.

    All filters of a picture share one scale with 0 as grey, so dead filters are grey and unlearnt ones noisy.

    Args:
        every: Optimizer steps between two records of the relative change since the start, >= 1.
        folder: Folder of the run.
    """

    watches_layers = True

    def __init__(self, *, every: int, folder: Path) -> None:
        self.every, self.folder = every, folder
        self.start: Tensor | None = None  # the weights before training
        self.shape = (0, 0)  # channels and side of the images

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.shape = data.in_channels, data.size

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self.start is None:
            self.start = first_weight(pl_module.net).detach().clone()
            self._show(trainer, self.start, "init")
        self.start = self.start.to(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_step(trainer, batch_idx) and trainer.global_step % self.every == 0:
            assert self.start is not None
            pl_module.write({"first_layer/change": change(first_weight(pl_module.net), self.start)})

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._show(trainer, first_weight(pl_module.net), "end")

    def state_dict(self) -> dict[str, Any]:
        return {"start": self.start}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.start = state_dict["start"]

    def _show(self, trainer: Trainer, weight: Tensor, when: str) -> None:
        if not trainer.is_global_zero:
            return
        images = legible(filters(weight, *self.shape))
        key = f"images/first_layer_{when}"
        save(self.folder / f"{key}.png", grid(images))
        words = [f"filter {place}" for place in range(len(images))]
        log_pictures(trainer.loggers, key, images, words, step=trainer.global_step)


def first_weight(net: nn.Module) -> Tensor:
    """The weights of the first convolution or linear layer, in order of definition."""
    kinds = nn.Conv2d | nn.Linear
    weight = next(layer.weight for layer in net.modules() if isinstance(layer, kinds))
    assert isinstance(weight, Tensor)
    return weight


def change(weight: Tensor, start: Tensor) -> float:
    """The relative distance that weights have moved: |w - w0| / |w0|."""
    start = start.float()
    return float((weight.detach().float() - start).norm() / start.norm().clamp(min=1e-30))


def filters(weight: Tensor, in_channels: int, size: int) -> Tensor:
    """Weights as pictures (N, C, H, W) uint8, N <= 64: three input channels in colour, others as their mean.

    A linear layer on whole images gives one picture per unit; any other linear layer one of its matrix.

    Args:
        weight: Weights of a convolution (F, C, h, w) or of a linear layer (F, n).
        in_channels: Number of channels of the images.
        size: Side of the images, in pixels.
    """
    weight = weight.detach().float().cpu()
    if weight.ndim == 2:
        whole = weight.shape[1] == in_channels * size**2
        weight = weight.view(-1, in_channels, size, size) if whole else weight[None, None]
    if weight.shape[1] != 3:
        weight = weight.mean(dim=1, keepdim=True)
    weight = weight[:COUNT]
    limit = float(np.quantile(weight.abs().numpy(), SPREAD)) or 1.0
    return (weight / limit).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
