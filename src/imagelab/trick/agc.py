"""Clip the gradient norm of each unit to a fraction of its weight norm (adaptive gradient clipping).

Source: Brock et al. 2021, https://arxiv.org/abs/2102.06171, section 4.1, equation 3; timm's
`timm.utils.adaptive_clip_grad`.
"""

from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer

from imagelab.model.head import last_layer


class AGC(Callback):
    """Clip once per step, over all accumulated batches and ranks; never the last layer, as in the paper.

    Args:
        clip_factor: Largest gradient norm of a unit over its weight norm, > 0; lambda in the paper.
        eps: Smallest weight norm to assume, > 0, so that weights that start at zero can grow.
    """

    clips_gradients = True

    def __init__(self, *, clip_factor: float, eps: float) -> None:
        self.clip_factor, self.eps = clip_factor, eps

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        clip(pl_module.net, self.clip_factor, self.eps)  # pyright: ignore[reportArgumentType] - ours has one


def clip(net: nn.Module, clip_factor: float, eps: float) -> None:
    """Clip the gradient norm of each unit to `clip_factor` * max(weight norm, eps)."""
    from timm.utils.agc import adaptive_clip_grad

    last: set[Any] = set(last_layer(net)[1].parameters())
    adaptive_clip_grad([p for p in net.parameters() if p not in last], clip_factor=clip_factor, eps=eps)
