"""Ask several networks about the same images; those of one architecture at once where that is faster.

Stacked weights turn many small launches into few, which pays on a GPU with small networks. On processors
convolutions with weights for each member are the slower way (1.1 to 1.7 times), so that it is measured.

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
WORTH_TRYING = 20  # passes ahead: below, trying out both ways takes longer than it can save
REFUSALS = (RuntimeError, ValueError, TypeError, NotImplementedError)


class Networks:
    """M networks of one architecture, in evaluation mode, on one device.

    Args:
        nets: The networks.
        passes: How many are ahead, about.
        predictions: Makes predictions of outputs (..., K), as their task does.
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
        """Outputs (M, B, K) of one network after the other."""
        return torch.stack([net(images) for net in self.nets])

    def faster(self, images: Tensor) -> Ask:
        """The faster way to ask for such images."""
        try:
            at_once = stacked(self.nets)
            at_once(images)
        except REFUSALS:  # of a layer that cannot be stacked, or for want of memory
            return self.one_by_one
        return min((self.one_by_one, at_once), key=lambda ask: seconds(ask, images))


def stacked(nets: Sequence[nn.Module]) -> Ask:
    """What asks all networks at once, their weights stacked."""
    parameters, buffers = stack_module_state([*nets])
    skeleton = deepcopy(nets[0]).to("meta")

    def one(weights: Any, statistics: Any, images: Tensor) -> Tensor:
        return functional_call(skeleton, (weights, statistics), (images,))

    every: Any = vmap(one, in_dims=(0, 0, None))
    return lambda images: every(parameters, buffers, images)


def seconds(ask: Ask, images: Tensor) -> float:
    """How long a way takes, the second time."""
    for _ in range(2):
        _wait(images.device)
        start = time.perf_counter()
        ask(images)
        _wait(images.device)
    return time.perf_counter() - start  # pyright: ignore[reportPossiblyUnboundVariable]


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
