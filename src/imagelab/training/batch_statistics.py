"""Recompute the statistics of BatchNorm for weights that no step has reached, such as averages."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from lightning import Trainer
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.randomness import seed_step


def training_images(trainer: Trainer, module: Any, count: int, seed: int) -> Iterator[Tensor]:
    """The first training batches of the current epoch on this rank, augmented and mixed as in training.

    Args:
        trainer: Trainer of the run.
        module: Classifier.
        count: Largest number of batches.
        seed: Seed of random layers, set before each batch.
    """
    data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    epoch, rank = trainer.current_epoch, trainer.global_rank
    loader = data.train_loader(epoch=epoch, start=0, rank=rank, ranks=trainer.world_size)
    for step, batch in enumerate(islice(loader, count)):
        inputs = data.prepare_batch(move_data_to_device(batch, module.device), train=True, rank=rank)
        seed_step(seed, epoch, step, rank)
        yield trainer.precision_plugin.convert_input(inputs.images)


@torch.no_grad()
def take_statistics(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of every BatchNorm in training mode to their mean over batches of images.

    torch's own `update_bn` would also change frozen ones.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, _BatchNorm) and layer.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain mean over all batches
    for images in batches if norms else ():
        net(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
