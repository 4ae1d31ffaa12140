"""What every network takes besides its own arguments, in the one order that works."""

import torch
from torch import nn

from imagelab.model.activation import set_activation
from imagelab.model.init import init_weights
from imagelab.model.norm import set_norm
from imagelab.model.weights import load_weights


def fit_model(
    net: nn.Module, *, activation: str, norm: str, init: str, weights: str | None, channels_last: bool
) -> nn.Module:
    """Change the layers, then draw the weights, then load some over them, then lay them out in memory.

    Args:
        net: Changed in place.
        activation: See `set_activation`; `default` leaves the network's own, as in the next two.
        norm: See `set_norm`.
        init: See `init_weights`.
        weights: See `load_weights`.
        channels_last: Whether weights lie in that memory format; the images have to as well.
    """
    if activation != "default":
        set_activation(net, activation)
    if norm != "default":
        set_norm(net, norm)
    if init != "default":
        init_weights(net, init)
    if weights is not None:
        load_weights(net, weights)
    return net.to(memory_format=torch.channels_last) if channels_last else net
