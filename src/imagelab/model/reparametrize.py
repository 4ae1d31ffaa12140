"""Normalise the weights of a network instead of its activations: weight norm and spectral norm.

Source: Salimans & Kingma 2016, https://arxiv.org/abs/1602.07868, equation 2 (weight);
Miyato et al. 2018, https://arxiv.org/abs/1802.05957, algorithm 1 (spectral).
"""

from collections.abc import Callable

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

REPARAMETRIZED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight": weight_norm,
    "spectral": spectral_norm,
}


def reparametrize(net: nn.Module, name: str) -> None:
    """Normalise the weights of every convolution and linear layer.

    The weights that the network computes with follow from the parameters: change them only before.

    Args:
        net: Network, changed in place.
        name: weight: direction and length of each unit's weights are parameters of their own, and the
            network computes the same as before. spectral: weights are divided by their largest singular
            value, so that no layer amplifies; each forward pass in training estimates it a little better.
    """
    for layer in list(net.modules()):
        if isinstance(layer, nn.Conv2d) or type(layer) is nn.Linear:  # attention reads the weights itself
            REPARAMETRIZED[name](layer)
