"""Take each step by the gradient at the worst nearby weights: flat minima, which generalise (SAM).

Each batch climbs by its own gradient, also if several are accumulated or several processes share a step.

Source: Foret et al. 2021, https://arxiv.org/abs/2010.01412, algorithm 1, and section 4.1 (m-sharpness).
"""

from collections.abc import Callable
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.training.ascent import climbed
from imagelab.training.loss_record import LossRecord
from imagelab.training.recipe import share_of_rank
from imagelab.training.split_batch import SplitBatch, given_gradients

SHARPNESS = "train/sharpness"


class SAM(Callback):
    """Compute two passes per batch: one to climb, one for the gradient; log their difference in loss.

    The second pass draws the same dropout, and leaves the statistics of BatchNorm as the first has set them.
    Penalties stay those of the weights themselves.

    Args:
        rho: Distance to climb, over all weights together, > 0.
    """

    watches_layers = True
    measures_sharpness = True
    moves_gradients = True

    def __init__(self, *, rho: float) -> None:
        self.rho = rho
        self.rises = LossRecord(window=1)

    def around(self, inner: SplitBatch) -> "TwoPasses":
        """What computes the loss of a batch, in place of `inner`."""
        return TwoPasses(inner, self.rho, self.rises)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        self.rises.flush()
        pl_module.write({SHARPNESS: pl_module.across_ranks(self.rises.epoch_mean())})
        self.rises.end_epoch()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self.rises.flush()
        state = self.rises.state_dict()
        checkpoint["sam"] = {name: pl_module.gather(values) for name, values in state.items()}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        mine = share_of_rank(checkpoint["sam"], trainer.global_rank, trainer.world_size)
        self.rises.load_state_dict(mine)


class TwoPasses(SplitBatch):
    """Compute the loss of a batch at the weights, and its gradients at the top of the climb.

    Args:
        inner: What computes a loss, in parts if memory runs out.
        rho: Distance to climb.
        rises: Record of how far the loss rises.
    """

    def __init__(self, inner: SplitBatch, rho: float, rises: LossRecord) -> None:
        super().__init__(halve=inner.halve)
        self.inner, self.rho, self.rises = inner, rho, rises

    def loss(
        self,
        begin: Callable[[], object],
        compute: Callable[[Inputs], tuple[Tensor, Tensor | None]],
        net: nn.Module,
        batch: Inputs,
        *,
        scale: float,
    ) -> Tensor:
        """The mean loss of a batch, a scalar whose gradients are those at the climbed weights."""
        weights = [weight for weight in net.parameters() if weight.requires_grad]

        def passed() -> tuple[Tensor, list[Tensor | None]]:
            loss = self.inner.loss(begin, compute, net, batch, scale=scale)
            found = torch.autograd.grad(loss * scale, weights, allow_unused=True)
            return loss.detach(), [None if one is None else one / scale for one in found]

        loss, uphill = passed()
        self.correct = self.inner.correct
        kept = [buffer.clone() for buffer in net.buffers()]
        with climbed(weights, uphill, self.rho):
            top, gradients = passed()
        for buffer, value in zip(net.buffers(), kept, strict=True):
            buffer.copy_(value)
        self.rises.add(top - loss)
        pairs = [(weight, one) for weight, one in zip(weights, gradients, strict=True) if one is not None]
        return given_gradients(loss, [one for _, one in pairs], [weight for weight, _ in pairs])
