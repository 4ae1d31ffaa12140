"""Average the weights at the ends of the last epochs (SWA), and recompute BatchNorm statistics for them.

The run keeps its own schedule, and so the ratios between its parameter groups. The statistics come from the
epoch's first training batches on all ranks, augmented and mixed as in training; statistics that a `finetune`
strategy freezes are kept.

Source: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, algorithm 1.
"""

from typing import Any

from lightning import Trainer
from torch import Tensor
from torch.optim.swa_utils import get_swa_multi_avg_fn

from imagelab.training.batch_statistics import take_statistics, training_images
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
    needs_images = needs_plain_pass = True  # for the BatchNorm statistics

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
            take_statistics(self.net, training_images(trainer, pl_module, self.bn_batches, self.seed))
        self.net.eval()
        for name, values in self.net.named_buffers():
            if name in self.weights:
                mean = trainer.world_size > 1 and values.is_floating_point()
                values = trainer.strategy.reduce(values, reduce_op="mean") if mean else values
                self.weights[name].copy_(values)
