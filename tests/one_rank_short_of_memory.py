"""A trick of a stranger: on the last of several processes, memory holds only so many images."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from imagelab.model.head import last_layer


class Tight(Callback):
    """Run out of memory in training on the last rank, after the other layers have run.

    Args:
        room: Images of a batch that fit.
    """

    def __init__(self, *, room: int) -> None:
        self.room = room

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        last = trainer.global_rank == trainer.world_size - 1

        def expect_room(layer: torch.nn.Module, images: tuple) -> None:
            if last and layer.training and len(images[0]) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

        net: Any = pl_module.net
        net.get_submodule(last_layer(net)[0]).register_forward_pre_hook(expect_room)
