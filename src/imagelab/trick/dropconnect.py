"""Drop single weights at random in each training step (DropConnect); this is not stochastic depth.

Two things differ from the paper: all images of a batch share a mask, and evaluation uses the full weights, as
with dropout, instead of samples from a normal distribution.

Source: Wan et al. 2013, "Regularization of Neural Networks using DropConnect",
https://proceedings.mlr.press/v28/wan13.html, section 3.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from imagelab.optimizer.param_groups import decaying
from imagelab.problem import Problem


class DropConnect:
    """Train with a fraction of the weights set to zero and the others scaled by 1 / (1 - rate).

    The network keeps its full weights, and checkpoints hold them under their own names.

    Args:
        rate: Probability of dropping a weight, in (0, 1).
        layers: linear, as in the paper, or all, which includes convolutions; never biases or norms.
    """

    rewires = True

    def __init__(self, *, rate: float, layers: Literal["linear", "all"]) -> None:
        self.rate, self.layers = rate, layers

    def rewired(self, net: nn.Module) -> dict[str, Tensor]:
        weights = decaying(net)
        if self.layers == "linear":
            weights = {name: weight for name, weight in weights.items() if name in linear_weights(net)}
        return {name: F.dropout(weight, self.rate) for name, weight in weights.items()}


def linear_weights(net: nn.Module) -> set[str]:
    """Names of the weights of the linear layers.

    Raises:
        Problem: If there are none.
    """
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, nn.Linear)}
    if not layers:
        raise Problem(
            f"trick.dropconnect.layers: {type(net).__name__} has no linear layer; set "
            "trick.dropconnect.layers=all"
        )
    return {
        f"{name}.{own}".lstrip(".")
        for name, layer in layers.items()
        for own, _ in layer.named_parameters()
        if own != "bias"
    }
