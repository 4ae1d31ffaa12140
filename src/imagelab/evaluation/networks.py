"""Run several networks on the same images, those of one architecture together if that is faster.

Stacking weights turns many small kernel launches into few, which pays off on a GPU with small networks. On
CPUs, convolutions with separate weights per member are slower (1.1 to 1.7 times), so both ways are timed.

Source: https://docs.pytorch.org/tutorials/intermediate/ensembling.html
"""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

Ask = Callable[[Tensor], Tensor]
WORTH_TRYING = 20  # passes to come: with fewer, measuring both ways takes longer than it can save
REFUSALS = (RuntimeError, ValueError, TypeError, NotImplementedError)


class Networks:
    """M networks of one architecture, in evaluation mode, on one device.

    Args:
        nets: Networks.
        passes: Approximate number of passes to come.
        predictions: Function of the task that turns outputs (..., K) into predictions.
    """

    def __init__(self, nets: Sequence[nn.Module], *, passes: int, predictions: Ask) -> None:
        self.nets, self.predictions = nets, predictions
        self.ask: Ask | None = None if len(nets) > 1 and passes >= WORTH_TRYING else self.one_by_one

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) float -> predictions (M, B, K) float32."""
        if self.ask is None:
            self.ask = self.faster(images)
        return self.predictions(self.ask(images))

    def one_by_one(self, images: Tensor) -> Tensor:
        """Outputs (M, B, K), one network after the other."""
        return torch.stack([net(images) for net in self.nets])

    def faster(self, images: Tensor) -> Ask:
        """The faster way to run the networks on such images."""
        try:
            at_once = stacked(self.nets)
            at_once(images)
        except REFUSALS:  # a layer cannot be stacked, or memory is too small
            return self.one_by_one
        return min((self.one_by_one, at_once), key=lambda ask: seconds(ask, images))


def stacked(nets: Sequence[nn.Module]) -> Ask:
    """Return a function that runs all networks at once, with stacked weights."""
    parameters, buffers = stack_module_state([*nets])
    skeleton = deepcopy(nets[0]).to("meta")

    def one(weights: Any, statistics: Any, images: Tensor) -> Tensor:
        return functional_call(skeleton, (weights, statistics), (images,))

    every: Any = vmap(one, in_dims=(0, 0, None))
    return lambda images: every(parameters, buffers, images)


def seconds(ask: Ask, images: Tensor) -> float:
    """The time of the second call."""
    for _ in range(2):
        _wait(images.device)
        start = time.perf_counter()
        ask(images)
        _wait(images.device)
    return time.perf_counter() - start  # pyright: ignore[reportPossiblyUnboundVariable]


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
