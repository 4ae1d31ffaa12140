# room: generators
"""Clip the weights of a discriminator after each step, which bounds its slope.

Source: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875, algorithm 1.
"""

from typing import Any

import torch
from lightning import Callback


class WeightClip(Callback):
    """Clip every weight and bias of the discriminator.

    Args:
        limit: Largest absolute value that stays, > 0.
    """

    needs_critic = True
    bounds_critic = True

    def __init__(self, *, limit: float) -> None:
        self.limit = limit

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        for weight in pl_module.net.discriminator.parameters():
            weight.clamp_(-self.limit, self.limit)
