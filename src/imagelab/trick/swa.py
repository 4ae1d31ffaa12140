"""Average the weights at the ends of the last epochs (SWA), and recompute BatchNorm statistics for them.

The run keeps its own schedule, and so the ratios between its parameter groups. The statistics come from the
epoch's first training batches on all ranks, augmented and mixed as in training; statistics that a `finetune`
strategy freezes are kept.

Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, algorithm 1.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from lightning import Trainer
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_swa_multi_avg_fn

from imagelab.randomness import seed_step
from imagelab.training.step_plan import closes_epoch
from imagelab.trick.weight_average import WeightAverage


class SWA(WeightAverage):
    """Averaged weights, evaluated as `val_swa/...`; the better of both sets of weights is the run's result.

    Args:
        start: Fraction of the run after which the weights at the end of each epoch are averaged, in [0, 1).
        bn_batches: Training batches per rank used for the BatchNorm statistics, >= 1.
        seed: Seed of random layers such as dropout while the statistics are computed.
    """

    averages_weights = "swa"
    needs_images = True  # for the BatchNorm statistics

    def __init__(self, *, start: float, bn_batches: int, seed: int) -> None:
        super().__init__()
        self.start = start
        self.bn_batches = bn_batches
        self.seed = seed

    def is_due(self, trainer: Trainer, batch_idx: int) -> bool:
        late = trainer.current_epoch + 1 >= self.start * (trainer.max_epochs or 1) - 1e-9
        return late and closes_epoch(trainer, batch_idx)

    def blend(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        get_swa_multi_avg_fn()(averaged, current, self.updates)

    def on_update(self, trainer: Trainer, pl_module: Any) -> None:
        self.net.load_state_dict(self.weights)
        trained = {name: layer.training for name, layer in pl_module.net.named_modules()}
        for name, layer in self.net.named_modules():
            layer.training = trained[name]
        with trainer.precision_plugin.train_step_context():
            take_statistics(self.net, self._images(trainer, pl_module))
        self.net.eval()
        for name, values in self.net.named_buffers():
            if name in self.weights:
                mean = trainer.world_size > 1 and values.is_floating_point()
                values = trainer.strategy.reduce(values, reduce_op="mean") if mean else values
                self.weights[name].copy_(values)

    def _images(self, trainer: Trainer, module: Any) -> Iterator[Tensor]:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        epoch, rank = trainer.current_epoch, trainer.global_rank
        loader = data.train_loader(epoch=epoch, start=0, rank=rank, ranks=trainer.world_size)
        for step, batch in enumerate(islice(loader, self.bn_batches)):
            inputs = data.prepare_batch(move_data_to_device(batch, module.device), train=True, rank=rank)
            seed_step(self.seed, epoch, step, rank)
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
