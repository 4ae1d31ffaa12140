"""Measure how sharp the minimum is: how far the loss of a batch rises at the worst nearby weights.

A larger rise goes with a larger gap between training and test.

Source: Foret et al. 2021, https://arxiv.org/abs/2010.01412, section 4.2 (m-sharpness); Keskar et al. 2017,
https://arxiv.org/abs/1609.04836, section 2.2.2.
"""

from typing import Any

import torch
from lightning import Callback, Trainer

from imagelab.contracts import Inputs
from imagelab.randomness import seed_step
from imagelab.training.ascent import climbed
from imagelab.training.preserve import preserve_state
from imagelab.training.step_plan import opens_step

NAME = "train/sharpness"
HALF_SCALE = 1024.0  # factor on the loss if gradients are in float16


class Sharpness(Callback):
    """Log `train/sharpness`; the network is in training mode, and the run is left unchanged.

    Args:
        every: Optimizer steps between two measurements, >= 1; each takes as long as two steps.
        rho: Distance to climb, over all weights together, > 0.
    """

    watches_layers = True
    measures_sharpness = True
    needs_mean_loss = True

    def __init__(self, *, every: int, rho: float) -> None:
        self.every, self.rho = every, rho

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Inputs, batch_idx: int) -> None:
        if trainer.global_step % self.every or not opens_step(trainer, batch_idx):
            return
        begin = pl_module.seed, trainer.current_epoch, batch_idx, trainer.global_rank
        rise = rise_of(pl_module, batch, self.rho, begin)
        pl_module.write({NAME: pl_module.across_ranks(rise)})


def rise_of(module: Any, batch: Inputs, rho: float, begin: tuple[int, int, int, int]) -> float:
    """How far the loss of a batch rises at the worst weights within `rho`; the module is left unchanged.

    Args:
        module: Classifier.
        batch: Images and targets.
        rho: Distance to climb.
        begin: What both passes draw by: seed, epoch, batch and rank.
    """
    precision = module.trainer.precision_plugin
    factor = HALF_SCALE if str(precision.precision) == "16-mixed" else 1.0
    weights = [weight for weight in module.net.parameters() if weight.requires_grad]

    def loss() -> torch.Tensor:
        seed_step(*begin)
        with precision.forward_context():
            return module.task.loss(module, batch)

    with preserve_state(module):
        here = loss()
        gradients = torch.autograd.grad(here * factor, weights, allow_unused=True)
        with climbed(weights, gradients, rho), torch.no_grad():
            return float(loss().float() - here.detach().float())
